// SPDX-License-Identifier: Apache-2.0
// What a parent learns of its child by signal and by waiting.
#pragma once

#include "proc/task.h"

namespace runhl::kernel {

/// Tells the parent: SIGCHLD (for an end, the child's exit signal) with `code` (CLD_*) and
/// `status`, and wakes who waits. The caller holds the process table's lock. True: the parent wants
/// no zombie, so an ended child is nobody's to wait for.
bool notify_parent(Process& child, int code, int status);

/// The same for the end of `child`, whose wait_status is set.
bool notify_parent_of_end(Process& child);

/// CLD_* and si_status of an end.
struct EndOfChild {
  int code = 0;
  int status = 0;
};
EndOfChild describe_end(int wait_status);

}  // namespace runhl::kernel
