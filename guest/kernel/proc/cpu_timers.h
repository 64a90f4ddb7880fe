// SPDX-License-Identifier: Apache-2.0
// What fires when a process or thread has used so much CPU time: ITIMER_VIRTUAL, ITIMER_PROF,
// RLIMIT_CPU, timers on CPU clocks. The running process's are looked at on each tick, and the tick
// comes when the nearest could be due.
#pragma once

#include <cstdint>

#include "proc/interval_timer.h"

namespace runhl::kernel {

struct PosixTimer;
struct Process;
struct Task;

/// ITIMER_VIRTUAL and ITIMER_PROF. The setting before.
IntervalSetting cpu_interval_set(Process& process, int which, const IntervalSetting& fresh);
IntervalSetting cpu_interval_get(Process& process, int which);

// The caller holds SignalState::lock.
void cpu_timers_add(PosixTimer& timer);
void cpu_timers_remove(PosixTimer& timer);

/// The clock that `timer` counts on. No lock held.
Nanoseconds cpu_timer_clock(const PosixTimer& timer);

/// How much more CPU time of the running task until something may be due; kNoDeadline: never.
Nanoseconds cpu_timers_remaining(Task& task);
/// Fires what is due.
void cpu_timers_check(Task& task);

}  // namespace runhl::kernel
