// SPDX-License-Identifier: Apache-2.0
#include "proc/string_block.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "mm/heap.h"
#include "runhl/core/units.h"

namespace runhl::kernel {
namespace {

constexpr std::size_t kMaxString = 128 * kKiB;  // Linux MAX_ARG_STRLEN

}  // namespace

StringBlock::StringBlock(StringBlock&& other) noexcept {
  *this = std::move(other);
}

StringBlock& StringBlock::operator=(StringBlock&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(capacity_, other.capacity_);
  std::swap(count_, other.count_);
  return *this;
}

StringBlock::~StringBlock() {
  if (data_ != nullptr) {
    heap_free(data_, capacity_);
  }
}

Result<void> StringBlock::reserve(std::size_t more) {
  if (size_ + more <= capacity_) {
    return {};
  }
  const std::size_t wanted = std::max({size_ + more, capacity_ * 2, std::size_t{1024}});
  auto* const data = static_cast<char*>(heap_allocate(wanted));
  if (data == nullptr) {
    return fail(ENOMEM);
  }
  if (data_ != nullptr) {
    std::memcpy(data, data_, size_);
    heap_free(data_, capacity_);
  }
  data_ = data;
  capacity_ = wanted;
  return {};
}

Result<void> StringBlock::append(std::string_view text) {
  TRY(reserve(text.size() + 1));
  if (!text.empty()) {
    std::memcpy(data_ + size_, text.data(), text.size());
  }
  data_[size_ + text.size()] = '\0';
  size_ += text.size() + 1;
  ++count_;
  return {};
}

Result<void> StringBlock::append_list(const char* strings, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    const std::string_view text(strings);
    TRY(append(text));
    strings += text.size() + 1;
  }
  return {};
}

Result<void> StringBlock::copy_from_program(UserAddress vector, std::uint64_t limit) {
  if (vector == 0) {
    return {};  // Linux takes NULL for an empty vector
  }
  for (std::size_t i = 0;; ++i) {
    const UserAddress string = TRY(UserIn<UserAddress>(vector).copy_in(i));
    if (string == 0) {
      return {};
    }
    for (std::size_t room = 256;; room *= 4) {  // most are short
      room = std::min(room, kMaxString);
      TRY(reserve(room));
      const Result<std::size_t> length =
          copy_string_from_user(std::span<char>(data_ + size_, room), string);
      if (length) {
        size_ += *length + 1;
        ++count_;
        break;
      }
      if (to_int(length.error()) != ENAMETOOLONG) {
        return tl::unexpected(length.error());
      }
      if (room == kMaxString) {
        return fail(E2BIG);
      }
    }
    if (size_ + count_ * sizeof(UserAddress) > limit) {
      return fail(E2BIG);
    }
  }
}

std::string_view StringBlock::first() const {
  return count_ == 0 ? std::string_view{} : std::string_view(data_);
}

std::string_view StringBlock::without_first() const {
  return count_ == 0 ? std::string_view{} : bytes().substr(first().size() + 1);
}

std::string_view StringBlock::find_variable(std::string_view name) const {
  std::string_view rest = bytes();
  while (!rest.empty()) {
    const std::string_view entry = rest.substr(0, rest.find('\0'));
    if (entry.size() > name.size() && entry.starts_with(name) && entry[name.size()] == '=') {
      return entry.substr(name.size() + 1);
    }
    rest.remove_prefix(entry.size() + 1);
  }
  return {};
}

}  // namespace runhl::kernel
