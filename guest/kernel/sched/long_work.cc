// SPDX-License-Identifier: Apache-2.0
#include "sched/long_work.h"

#include "host/events.h"
#include "proc/signals.h"
#include "sched/lock_host.h"
#include "sched/scheduler.h"
#include "sched/tick.h"
#include "sched/timers.h"

namespace runhl::kernel {

Result<void> take_breath() {
  constexpr std::uint32_t kOurs = kPendResched | kPendSignal;  // the rest is for the exit
  if ((this_cpu().pend.load(std::memory_order_relaxed) & kOurs) == 0) {
    return {};
  }
  const std::uint32_t bits = this_cpu().pend.fetch_and(~kOurs);
  host_poll();
  fire_due_timers();
  if ((bits & kPendResched) != 0) {
    const bool held = detail::kernel_lock_drop();
    yield();
    if (held) {
      detail::kernel_lock_take();
    }
  }
  tick_update(this_cpu());  // each comes once
  if (signal_pending(current())) {
    this_cpu().raise(kPendSignal);
    return fail(EINTR);
  }
  return {};
}

}  // namespace runhl::kernel
