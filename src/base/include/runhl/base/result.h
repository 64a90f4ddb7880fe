// SPDX-License-Identifier: Apache-2.0
// The host's error contract.
//
// - What can fail returns Result<T>; TRY passes an error on.
// - The layer that knows the noun adds context in front: `with_context("mount /proc", result)`.
// - Only the outermost layer (main, the monitor's loop) logs. Never both log and return.
// - RUNHL_CHECK is for our own bugs and aborts; it never judges outside input.
#pragma once

#include <cerrno>
#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "runhl/core/try.h"

namespace runhl {

enum class ErrorCode : std::uint8_t {
  InvalidArgument,  ///< a user's, image's or engine's input is wrong; the message names the field
  NotFound,
  AlreadyExists,
  WrongState,   ///< the container is not in a state that allows this
  Unsupported,  ///< understood, and refused
  Permission,
  Hypervisor,
  GuestFault,
  Timeout,
  Io,
  Internal,
};

struct Error {
  ErrorCode code = ErrorCode::Internal;
  int os_errno = 0;
  std::string message;  ///< grows outward: "create c1: mount /proc: Operation not permitted"
};

template <typename T = void>
using Result = tl::expected<T, Error>;

/// An error that no call caused.
inline tl::unexpected<Error> fail(ErrorCode code, std::string message) {
  return tl::unexpected(Error{code, 0, std::move(message)});
}

/// An error out of `os_errno` (default: errno): "what: No such file or directory". The code follows
/// the number: ENOENT NotFound, EEXIST AlreadyExists, EPERM and EACCES Permission, EINVAL
/// InvalidArgument, else Io.
tl::unexpected<Error> fail_errno(std::string_view what, int os_errno = errno);

/// Puts "context: " in front of an error's message.
template <typename T>
Result<T> with_context(std::string_view context, Result<T> result) {
  if (!result) {
    result.error().message.insert(0, ": ").insert(0, context);
  }
  return result;
}

[[noreturn]] void check_failed(const char* condition, const char* file, int line);

}  // namespace runhl

#define RUNHL_CHECK(cond)                               \
  do {                                                  \
    if (!(cond)) [[unlikely]] {                         \
      ::runhl::check_failed(#cond, __FILE__, __LINE__); \
    }                                                   \
  } while (false)
