// SPDX-License-Identifier: Apache-2.0
// Robust futexes: a thread's list of the locks it holds, walked at its end so that they are marked
// FUTEX_OWNER_DIED (set_robust_list(2), Documentation/locking/robust-futex-ABI.rst).
#pragma once

namespace runhl::kernel {

struct Task;

/// At the end of a thread or of its program, in its own cell. Forgets the list.
void robust_list_release(Task& task);

}  // namespace runhl::kernel
