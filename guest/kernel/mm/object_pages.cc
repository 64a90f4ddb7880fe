// SPDX-License-Identifier: Apache-2.0
#include "mm/object_pages.h"

#include <new>

#include "runhl/core/units.h"

namespace runhl::kernel {

std::size_t ObjectPages::class_of(std::size_t size) {
  std::size_t index = 0;
  while (kSizes[index] < size) {
    ++index;
  }
  return index;
}

void ObjectPages::link(std::size_t index, std::uint32_t page) {
  Note& added = note(page);
  added.next = with_free_[index];
  added.previous = 0;
  if (added.next != 0) {
    note(added.next).previous = page;
  }
  with_free_[index] = page;
}

void ObjectPages::unlink(std::size_t index, std::uint32_t page) {
  const Note& removed = note(page);
  (removed.previous != 0 ? note(removed.previous).next : with_free_[index]) = removed.next;
  if (removed.next != 0) {
    note(removed.next).previous = removed.previous;
  }
}

/// Cuts a fresh page into objects; 0: no memory.
std::uint32_t ObjectPages::refill(std::size_t index) {
  std::byte* const memory = runs_->allocate(0);
  if (memory == nullptr) {
    return 0;
  }
  const auto page = static_cast<std::uint32_t>(runs_->page_of(memory) + 1);
  const std::size_t units = kSizes[index] / kUnit;
  const std::size_t count = kPageSize / kSizes[index];
  for (std::size_t i = 0; i < count; ++i) {
    new (memory + i * kSizes[index])
        FreeObject{.next = static_cast<std::uint16_t>((i + 1) * units)};  // of the last: unused
  }
  note(page).first_free = 0;
  note(page).free_count = static_cast<std::uint16_t>(count);
  link(index, page);
  return page;
}

void* ObjectPages::allocate(std::size_t size) {
  const std::size_t index = class_of(size);
  const std::uint32_t page = with_free_[index] != 0 ? with_free_[index] : refill(index);
  if (page == 0) {
    return nullptr;
  }
  Note& from = note(page);
  std::byte* const object = runs_->page_at(page - 1) + from.first_free * kUnit;
  // SAFETY: a free object begins with its FreeObject.
  from.first_free = reinterpret_cast<const FreeObject*>(object)->next;
  if (--from.free_count == 0) {
    unlink(index, page);
  }
  return object;
}

bool ObjectPages::free(void* object, std::size_t size) {
  const std::size_t index = class_of(size);
  const std::size_t number = runs_->page_of(object);
  std::byte* const memory = runs_->page_at(number);
  const auto page = static_cast<std::uint32_t>(number + 1);
  Note& to = note(page);
  new (object) FreeObject{.next = to.first_free};
  const auto within = static_cast<std::size_t>(static_cast<std::byte*>(object) - memory);
  to.first_free = static_cast<std::uint16_t>(within / kUnit);
  if (to.free_count++ == 0) {
    link(index, page);
  }
  const bool only_one = to.next == 0 && to.previous == 0;
  if (to.free_count < kPageSize / kSizes[index] || only_one) {
    return false;
  }
  unlink(index, page);
  runs_->free(memory, 0);
  return true;
}

}  // namespace runhl::kernel
