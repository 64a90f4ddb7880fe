// SPDX-License-Identifier: Apache-2.0
// The container's startContainer hooks: programs of the guest that run, one after the other, as
// children of process 1 while that has no program yet.
//
//   process 1                                     hook
//   ---------                                     ----
//   pipes, spawn_child ───────────────────────►   its ends of the pipes become 0, 1, 2
//   waits, as vfork's parent does                 exec ──► the program
//   state ──► stdin; stdout, stderr ◄──           …
//   its end, or the time is over
#pragma once

#include "core/result.h"
#include "proc/exec.h"
#include "runhl/abi/boot.h"

namespace runhl::kernel {

/// All of them, in their order; the first that fails ends the row. The current task is init's,
/// whose files and place in the file system are those of the container's process. Error: the errno
/// for Started; `failure` holds the message.
Result<void> run_start_hooks(const abi::BootConfig& config, BootFailure& failure);

}  // namespace runhl::kernel
