// SPDX-License-Identifier: Apache-2.0
// The end of the guest kernel: a report to the monitor (abi/panic.h), then all cells end. Never a
// hang, never a return.
#pragma once

#include <string_view>

namespace runhl::kernel {

[[noreturn]] void panic(std::string_view message);

}  // namespace runhl::kernel

/// For our own bugs; never judges what a program or the monitor gave.
#define KERNEL_CHECK(cond)                                            \
  do {                                                                \
    if (!(cond)) [[unlikely]] {                                       \
      ::runhl::kernel::panic("check failed: " #cond " in " __FILE__); \
    }                                                                 \
  } while (false)
