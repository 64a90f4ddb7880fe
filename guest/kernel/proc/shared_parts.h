// SPDX-License-Identifier: Apache-2.0
// Descriptors and place in the file system of a task: shared by clone(2), made its own by exec(2)
// and unshare(2), given up at its end.
#pragma once

#include "core/result.h"
#include "proc/task.h"

namespace runhl::kernel {

/// A copy, where others share it. ENOMEM.
Result<void> own_files(Task& task);
Result<void> own_place(Task& task);

/// Gives both up; closing files may sleep.
void drop_files(Task& task);

/// The only thread of its process, which shares memory with no other process.
bool is_alone(const Task& task);

}  // namespace runhl::kernel
