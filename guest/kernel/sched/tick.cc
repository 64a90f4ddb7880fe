// SPDX-License-Identifier: Apache-2.0
#include "sched/tick.h"

#include <algorithm>

#include "arch/x86_64/host_syscall.h"
#include "host/clock.h"
#include "host/host_call.h"
#include "proc/cpu_timers.h"
#include "sched/timers.h"

namespace runhl::kernel {

namespace {

/// Soon after the running program will have used up what some timer counts; but no finer than this,
/// or a short period would leave it no time at all.
constexpr Nanoseconds kFinestCpuTimer = 500'000;
/// A tick that is due as soon as it is armed comes before the program's next instruction, again and
/// again: nobody would get anywhere. Linux's sleeps are late by as much (timer slack).
constexpr Nanoseconds kFinestTick = 50'000;

Nanoseconds nearest_timer(const Vcpu& cpu) {
  const Nanoseconds nearest = timers().nearest();
  const Nanoseconds remaining = cpu_timers_remaining(*cpu.current);
  if (remaining == kNoDeadline) {
    return nearest;
  }
  const Nanoseconds due = monotonic_now() + std::max(remaining, kFinestCpuTimer);
  return nearest == kNoDeadline ? due : std::min(nearest, due);
}

}  // namespace

void tick_update(Vcpu& cpu) {
  const Nanoseconds nearest = nearest_timer(cpu);
  // An answer of the monitor makes somebody runnable; while a program runs, it is a tick that
  // looks.
  const bool shared =
      cpu.runnable_count.load(std::memory_order_relaxed) != 0 || host_owes_answers();
  if (nearest == kNoDeadline && !shared) {
    return;  // one that is still armed only costs a signal
  }
  const Nanoseconds now = monotonic_now();
  const Nanoseconds slice_end = now + kTickPeriod;
  const Nanoseconds deadline = shared && (nearest == kNoDeadline || nearest > slice_end)
                                   ? slice_end
                                   : std::max(nearest, now + kFinestTick);
  Carrier& carrier = this_carrier();
  if (carrier.tick_deadline > now && carrier.tick_deadline <= deadline) {
    return;  // a slice may be shorter: arming anew at each switch would cost more than the switch
  }
  if (!carrier.tick_made) {
    if (host::timer_create(carrier.tid.load(), &carrier.tick_timer) < 0) {
      return;  // at the host's limit of timers: late, not wrong, since idle waits by itself
    }
    carrier.tick_made = true;
  }
  __kernel_itimerspec when{};
  when.it_value = to_timespec(deadline);
  if (host::timer_settime(carrier.tick_timer, true, when) == 0) {
    carrier.tick_deadline = deadline;
  }
}

}  // namespace runhl::kernel
