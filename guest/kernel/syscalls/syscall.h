// SPDX-License-Identifier: Apache-2.0
// The shape of a system call's handler. A handler copies, checks and delegates; it returns the
// call's value or an errno.
#pragma once

#include <cstdint>

#include "core/result.h"
#include "proc/task.h"

namespace runhl::kernel {

/// The six argument registers: rdi rsi rdx r10 r8 r9.
struct SyscallArgs {
  std::uint64_t a0, a1, a2, a3, a4, a5;
};

using SyscallResult = Result<std::uint64_t>;
using SyscallHandler = SyscallResult (*)(const SyscallArgs& args);

/// Which locks a call runs under (sched/locks.h): Free none, Fine its own, Big the kernel lock.
enum class LockClass : std::uint8_t { Free, Fine, Big };
enum class Support : std::uint8_t { Full, Partial, Absent };

struct SyscallRow {
  std::uint16_t number;
  const char* name;
  SyscallHandler handler;
  Support support;
  LockClass lock_class;
  const char* missing;  // what a partial one does not do, why an absent one is absent
};

}  // namespace runhl::kernel
