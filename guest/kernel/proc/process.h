// SPDX-License-Identifier: Apache-2.0
// The processes there are, and their ends.
#pragma once

#include <cstdint>

#include "proc/task.h"

namespace runhl::kernel {

/// The container's init, pid 1; null until boot has made it.
Process* container_init();

/// Ends the current process with all its threads; `wait_status` is what its parent sees
/// (waitpid(2)). The end of the container's init is the end of the container.
[[noreturn]] void process_exit(int wait_status);
/// Its second half: the current thread is the last one, and has left its memory.
[[noreturn]] void process_end(int wait_status);

/// The current task is about to leave its memory: releases its robust locks, clears its number
/// there, lets vfork's parent go.
void release_memory(Task& task);

/// No parent in the same session could continue a stopped member (POSIX): stop signals of the
/// terminal do nothing.
bool group_is_orphaned(Process& process);

}  // namespace runhl::kernel
