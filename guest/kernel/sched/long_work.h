// SPDX-License-Identifier: Apache-2.0
// There is no kernel preemption: a call that may move gigabytes gives way by itself.
//
//   while (!buffer.full()) {
//     ...                                                  // some kilobytes
//     if (!take_breath(Interruptible::Killable)) break;    // what was done so far is the answer
//   }
//
// Sleeping locks may be held meanwhile: who wants one waits, others run.
#pragma once

#include "core/result.h"
#include "sched/wait.h"

namespace runhl::kernel {

/// take_breath() has something to do: who holds what others need may give it back first. Stays so
/// while a signal is pending, also one that does not end the call.
bool breath_due();

/// Lets others run when their time has come; cheap when it has not. No spinlock held. Errors: EINTR
/// (a signal is to be acted on; of one that does not end the process only Interruptible::Yes
/// hears).
Result<void> take_breath(Interruptible interruptible = Interruptible::Yes);

}  // namespace runhl::kernel
