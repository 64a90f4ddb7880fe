// SPDX-License-Identifier: Apache-2.0
// System calls without the C library's wrapping, for a process fresh from clone.
#pragma once

#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <type_traits>

namespace runhl::vmm::cell {

/// A whole register: what is narrower would leave its upper half to chance.
template <typename T>
long call_argument(T value) {
  if constexpr (std::is_pointer_v<T>) {
    return reinterpret_cast<long>(value);
  } else if constexpr (std::is_same_v<T, std::nullptr_t>) {
    return 0;
  } else {
    return static_cast<long>(value);
  }
}

/// The call's result, or -errno.
template <typename... Args>
long raw_call(long number, Args... args) {
  const long result = ::syscall(number, call_argument(args)...);
  return result < 0 ? -static_cast<long>(errno) : result;
}

/// 0, or the errno.
template <typename... Args>
int raw_error(long number, Args... args) {
  const long result = raw_call(number, args...);
  return result < 0 ? static_cast<int>(-result) : 0;
}

}  // namespace runhl::vmm::cell
