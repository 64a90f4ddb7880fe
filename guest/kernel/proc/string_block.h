// SPDX-License-Identifier: Apache-2.0
// The arguments or the environment of a program on its way into a new image: `count` strings, each
// with its NUL, one behind the other in kernel memory.
#pragma once

#include <cstdint>
#include <string_view>

#include "core/result.h"
#include "core/user_memory.h"

namespace runhl::kernel {

class StringBlock {
 public:
  StringBlock() = default;
  StringBlock(StringBlock&& other) noexcept;
  StringBlock& operator=(StringBlock&& other) noexcept;
  StringBlock(const StringBlock&) = delete;
  StringBlock& operator=(const StringBlock&) = delete;
  ~StringBlock();

  Result<void> append(std::string_view text);
  /// `count` strings that lie one behind the other at `strings`.
  Result<void> append_list(const char* strings, std::size_t count);
  /// A NULL-terminated vector of a program; E2BIG beyond `limit` bytes, EFAULT.
  Result<void> copy_from_program(UserAddress vector, std::uint64_t limit);

  [[nodiscard]] std::size_t count() const { return count_; }
  [[nodiscard]] std::string_view bytes() const { return {data_, size_}; }
  [[nodiscard]] std::string_view first() const;
  /// Everything but the first string.
  [[nodiscard]] std::string_view without_first() const;
  /// The value of "NAME=value"; data() is null where there is none.
  [[nodiscard]] std::string_view find_variable(std::string_view name) const;

 private:
  Result<void> reserve(std::size_t more);

  char* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
  std::size_t count_ = 0;
};

}  // namespace runhl::kernel
