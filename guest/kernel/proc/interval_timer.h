// SPDX-License-Identifier: Apache-2.0
// ITIMER_REAL of a process: SIGALRM when it expires. A periodic one goes on when its signal is
// taken, as on Linux: while that is blocked or ignored there is nothing to do, however short the
// period.
#pragma once

#include "sched/timers.h"

namespace runhl::kernel {

struct Process;

struct IntervalTimer {
  Timer timer;
  Nanoseconds interval = 0;  // 0: once
  Process* process = nullptr;
};

struct IntervalSetting {
  Nanoseconds remaining = 0;  // 0: disarmed
  Nanoseconds interval = 0;
};

/// Arms or disarms the process's timer; the setting before. Errors: ENOMEM.
Result<IntervalSetting> interval_timer_set(Process& process, const IntervalSetting& fresh);
/// SIGALRM was taken: a periodic timer that has expired runs again.
void interval_timer_go_on(Process& process);
/// For the end of the process.
void interval_timer_stop(Process& process);
IntervalSetting interval_timer_get(const Process& process);

}  // namespace runhl::kernel
