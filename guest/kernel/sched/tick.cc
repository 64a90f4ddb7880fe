// SPDX-License-Identifier: Apache-2.0
#include "sched/tick.h"

#include "arch/x86_64/host_syscall.h"
#include "host/clock.h"
#include "sched/timers.h"

namespace runhl::kernel {

namespace {

/// When this vCPU wants to be interrupted, 0: never.
Nanoseconds wanted(const Vcpu& cpu) {
  const Nanoseconds nearest = timers().nearest();
  if (cpu.runnable_count.load(std::memory_order_relaxed) == 0) {
    return nearest == kNoDeadline ? 0 : nearest;
  }
  const Nanoseconds slice_end = monotonic_now() + kTickPeriod;
  return nearest == kNoDeadline || nearest > slice_end ? slice_end : nearest;
}

}  // namespace

void tick_update(Vcpu& cpu) {
  Carrier& carrier = this_carrier();
  const Nanoseconds deadline = wanted(cpu);
  // Arming is a host call, an expiry that nobody wants one signal. So nothing is disarmed, and what
  // is armed for any time until then will do: two tasks that wake each other arm it once a slice.
  const bool armed = carrier.tick_deadline <= deadline && carrier.tick_deadline > monotonic_now();
  if (deadline == 0 || armed) {
    return;
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
