// SPDX-License-Identifier: Apache-2.0
// clone(2): a new task, in a process of its own or as a thread of the caller's.
#pragma once

#include <cstdint>

#include "core/result.h"
#include "core/user_memory.h"
#include "proc/task.h"

namespace runhl::kernel {

struct CloneRequest {
  std::uint64_t flags = 0;  // CLONE_*, without the exit signal
  std::int32_t exit_signal = 0;
  UserAddress stack = 0;  // its top; 0: the caller's
  UserAddress parent_tid = 0;
  UserAddress child_tid = 0;
  UserAddress pidfd = 0;  // with CLONE_PIDFD: where its number goes
  std::uint64_t tls = 0;
};

/// The child's number. Errors: EINVAL, EAGAIN, ENOMEM, EPERM, EFAULT.
Result<std::int32_t> clone_task(const CloneRequest& request);

/// A child of the kernel's own making: `function` in the caller's memory, until it executes a
/// program; its frame's rdi is `argument`. Returns when it has executed one, or has ended; it stays
/// until it is waited for. Only where no program runs in the current process. EAGAIN, ENOMEM.
Result<Ref<Process>> spawn_child(void (*function)(), std::uint64_t argument);

}  // namespace runhl::kernel
