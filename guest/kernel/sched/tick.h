// SPDX-License-Identifier: Apache-2.0
// The host's interruptions of a running program: a POSIX timer per carrier, made at first need and
// armed only while somebody else could run or the monitor owes an answer (100 Hz), or a guest timer
// is due.
#pragma once

#include "sched/scheduler.h"

namespace runhl::kernel {

inline constexpr Nanoseconds kTickPeriod = 10'000'000;

/// Arms or disarms this carrier's timer as its vCPU needs it; on the way to user code.
void tick_update(Vcpu& cpu);

}  // namespace runhl::kernel
