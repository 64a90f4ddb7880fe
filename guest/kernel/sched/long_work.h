// SPDX-License-Identifier: Apache-2.0
// There is no kernel preemption: a call that may move gigabytes gives way by itself.
//
//   while (!buffer.full()) {
//     ...                          // some kilobytes
//     if (!take_breath()) break;   // a signal: what was done so far is the answer
//   }
#pragma once

#include "core/result.h"

namespace runhl::kernel {

/// Lets others run when their time has come; cheap when it has not. No spinlock held. Errors: EINTR
/// (a signal is to be acted on).
Result<void> take_breath();

}  // namespace runhl::kernel
