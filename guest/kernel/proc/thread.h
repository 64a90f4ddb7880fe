// SPDX-License-Identifier: Apache-2.0
// The threads of a process: how one ends, how all do.
//
//   exit(2), of one of several ──► thread_end(status)    the others go on
//   exit_group, fatal signal   ──► process_exit(status)  marks the process; every thread, on its
//   way
//                                                        to user code: thread_end
//   execve                     ──► end_other_threads()   the caller stays, as the first thread
//
// The last thread to end ends the process (process_exit.cc).
#pragma once

#include "core/result.h"

namespace runhl::kernel {

struct Task;

/// Ends the current thread. `wait_status` is the process's if it is the last one, and no group exit
/// says otherwise.
[[noreturn]] void thread_end(int wait_status);

/// Leaves the current thread alone in its process, under the process's number. EAGAIN: the process
/// is ending, or another thread does the same.
Result<void> end_other_threads();

}  // namespace runhl::kernel
