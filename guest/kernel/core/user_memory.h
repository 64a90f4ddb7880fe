// SPDX-License-Identifier: Apache-2.0
// The only way to a program's memory. A user address is a number with a direction in its type; no
// operator reaches through it, only copies, and a fault in a copy is EFAULT.
//
//   const Timespec request = TRY(UserIn<Timespec>(args[0]).copy_in());
//   TRY(UserOut<Timespec>(args[1]).copy_out(remaining));
//
// May be called only with no spinlock held (a host fault may sleep), in the cell of the current
// task. Hosted unit tests link a version in which user addresses are ordinary pointers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

#include "core/result.h"

namespace runhl::kernel {

using UserAddress = std::uint64_t;

/// Copies whole ranges; EFAULT when any part lies outside user space or is not mapped so. A partly
/// done copy_out may have written a prefix.
Result<void> copy_from_user(void* to, UserAddress from, std::size_t size);
Result<void> copy_to_user(UserAddress to, const void* from, std::size_t size);
Result<void> clear_user(UserAddress to, std::size_t size);
/// As above, but returns the bytes done before a fault (0 <= done <= size).
std::size_t copy_from_user_partial(void* to, UserAddress from, std::size_t size);
std::size_t copy_to_user_partial(UserAddress to, const void* from, std::size_t size);
/// A NUL-terminated string into `to`; returns its length without the NUL. ENAMETOOLONG when no NUL
/// comes within to.size() bytes, EFAULT.
Result<std::size_t> copy_string_from_user(std::span<char> to, UserAddress from);

/// One locked instruction on an aligned word of the program's; answers what it found there, which
/// is `expected` exactly when `desired` was written.
Result<std::uint32_t> compare_exchange_user(UserAddress word, std::uint32_t expected,
                                            std::uint32_t desired);

template <typename T>
class UserIn {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  explicit UserIn(UserAddress address) : address_(address) {}
  [[nodiscard]] Result<T> copy_in(std::size_t index = 0) const {
    T value;
    TRY(copy_from_user(&value, address_ + index * sizeof(T), sizeof(T)));
    return value;
  }
  [[nodiscard]] bool is_null() const { return address_ == 0; }
  [[nodiscard]] UserAddress address() const { return address_; }

 private:
  UserAddress address_;
};

template <typename T>
class UserOut {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  explicit UserOut(UserAddress address) : address_(address) {}
  [[nodiscard]] Result<void> copy_out(const T& value, std::size_t index = 0) const {
    return copy_to_user(address_ + index * sizeof(T), &value, sizeof(T));
  }
  [[nodiscard]] bool is_null() const { return address_ == 0; }
  [[nodiscard]] UserAddress address() const { return address_; }

 private:
  UserAddress address_;
};

/// A buffer of a program: address and size travel together.
struct UserSpan {
  UserAddress address = 0;
  std::size_t size = 0;
};

}  // namespace runhl::kernel
