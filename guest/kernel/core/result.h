// SPDX-License-Identifier: Apache-2.0
// The kernel's error contract: what can fail returns Result<T>; the error is a Linux errno, and
// `-errno` is made in one place, the syscall exit.
//
//   Result<File*> file = TRY(files.get(fd));      // returns EBADF to our caller
//   return fail(ENOTDIR);
#pragma once

#include <asm/errno.h>

#include <tl/expected.hpp>

#include "runhl/core/try.h"

namespace runhl::kernel {

enum class Errno : int {};

template <typename T = void>
using Result = tl::expected<T, Errno>;

/// `number` is an E* constant.
constexpr tl::unexpected<Errno> fail(int number) {
  return tl::unexpected<Errno>(static_cast<Errno>(number));
}
constexpr int to_int(Errno error) {
  return static_cast<int>(error);
}

}  // namespace runhl::kernel
