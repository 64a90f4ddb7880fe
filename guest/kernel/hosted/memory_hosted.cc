// SPDX-License-Identifier: Apache-2.0
// Kernel and user memory of hosted tests: the process's own. A user address is a pointer; 0 and
// what lies in the first page fault.
#include <cstdlib>
#include <cstring>

#include "core/user_memory.h"
#include "mm/heap.h"
#include "runhl/core/units.h"

namespace runhl::kernel {

namespace {
bool faults(UserAddress address) {
  return address < kPageSize;
}
}  // namespace

void* heap_allocate(std::size_t size) {
  const std::size_t alignment = size >= kPageSize ? kPageSize : 16;
  return std::aligned_alloc(alignment, align_up(size == 0 ? 1 : size, alignment));
}
void heap_free(void* memory, std::size_t) {
  std::free(memory);
}

std::size_t copy_from_user_partial(void* to, UserAddress from, std::size_t size) {
  if (size == 0 || faults(from)) {  // memcpy takes no null, not even for nothing
    return 0;
  }
  std::memcpy(to, reinterpret_cast<const void*>(from), size);
  return size;
}
std::size_t copy_to_user_partial(UserAddress to, const void* from, std::size_t size) {
  if (size == 0 || faults(to)) {
    return 0;
  }
  std::memcpy(reinterpret_cast<void*>(to), from, size);
  return size;
}
Result<void> copy_from_user(void* to, UserAddress from, std::size_t size) {
  if (copy_from_user_partial(to, from, size) != size) {
    return fail(EFAULT);
  }
  return {};
}
Result<void> copy_to_user(UserAddress to, const void* from, std::size_t size) {
  if (copy_to_user_partial(to, from, size) != size) {
    return fail(EFAULT);
  }
  return {};
}
Result<void> clear_user(UserAddress to, std::size_t size) {
  if (faults(to)) {
    return fail(EFAULT);
  }
  std::memset(reinterpret_cast<void*>(to), 0, size);
  return {};
}
Result<std::size_t> copy_string_from_user(std::span<char> to, UserAddress from) {
  if (faults(from)) {
    return fail(EFAULT);
  }
  const char* const text = reinterpret_cast<const char*>(from);
  const std::size_t length = strnlen(text, to.size());
  if (length == to.size()) {
    return fail(ENAMETOOLONG);
  }
  std::memcpy(to.data(), text, length + 1);
  return length;
}

}  // namespace runhl::kernel
