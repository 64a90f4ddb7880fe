// SPDX-License-Identifier: Apache-2.0
#include "sched/long_work.h"

#include "host/events.h"
#include "proc/signals.h"
#include "sched/lock_host.h"
#include "sched/scheduler.h"
#include "sched/tick.h"
#include "sched/timers.h"

namespace runhl::kernel {

bool breath_due() {
  const std::uint32_t bits = this_cpu().pend.load(std::memory_order_relaxed);
  return (bits & kPendResched) != 0 || ((bits & kPendSignal) != 0 && signal_pending(current()));
}

Result<void> take_breath(Interruptible interruptible) {
  if (!breath_due()) {
    return {};
  }
  // The other bits, and more than one reason for kPendSignal, are for the exit.
  const std::uint32_t bits = this_cpu().pend.fetch_and(~std::uint32_t{kPendResched});
  if ((bits & (kPendResched | kPendHost)) != 0) {
    host_poll();
    fire_due_timers();
  }
  if ((bits & kPendResched) != 0) {
    const bool held = detail::kernel_lock_drop();
    yield();
    if (held) {
      detail::kernel_lock_take();
    }
    tick_update(this_cpu());  // each comes once
  }
  if (signal_pending(current())) {
    this_cpu().raise(kPendSignal);
  }
  return detail::interrupted(current(), interruptible) ? fail(EINTR) : Result<void>{};
}

}  // namespace runhl::kernel
