// SPDX-License-Identifier: Apache-2.0
#include "proc/interval_timer.h"

#include <algorithm>

#include "core/linux_signal.h"
#include "mm/heap.h"
#include "proc/signals.h"
#include "proc/task.h"

namespace runhl::kernel {

namespace {

constexpr int kFromKernel = 0x80;  // SI_KERNEL

void on_expiry(Timer& timer) {
  // SAFETY: only interval_timer_set sets this function, on the first member of an IntervalTimer.
  static_assert(offsetof(IntervalTimer, timer) == 0);
  auto& self = reinterpret_cast<IntervalTimer&>(timer);
  SignalInfo info;
  info.number = SIGALRM;
  info.code = kFromKernel;
  (void)signal_send(*self.process, info, Origin::Guest);  // out of memory: lost, as on Linux
}

}  // namespace

void interval_timer_go_on(Process& process) {
  IntervalTimer* const self = process.real_timer;
  if (self == nullptr || self->interval == 0 || self->timer.hook.is_linked()) {
    return;
  }
  const Nanoseconds late = std::max<Nanoseconds>(monotonic_now() - self->timer.deadline, 0);
  timer_set(self->timer, self->timer.deadline + (late / self->interval + 1) * self->interval);
}

void interval_timer_stop(Process& process) {
  if (process.real_timer != nullptr) {
    process.real_timer->interval = 0;
    (void)timer_cancel(process.real_timer->timer);  // false: it was not armed
  }
}

IntervalSetting interval_timer_get(const Process& process) {
  const IntervalTimer* const self = process.real_timer;
  if (self == nullptr) {
    return {};
  }
  if (!self->timer.hook.is_linked()) {
    return {0, self->interval};  // off, or its signal has not been taken
  }
  // One that is due but has not fired counts as about to.
  return {std::max<Nanoseconds>(self->timer.deadline - monotonic_now(), 1), self->interval};
}

Result<IntervalSetting> interval_timer_set(Process& process, const IntervalSetting& fresh) {
  const IntervalSetting old = interval_timer_get(process);
  if (process.real_timer == nullptr) {
    process.real_timer = TRY(make<IntervalTimer>()).release();
    process.real_timer->process = &process;
    process.real_timer->timer.fire = &on_expiry;
  }
  IntervalTimer& self = *process.real_timer;
  (void)timer_cancel(self.timer);
  self.interval = fresh.remaining == 0 ? 0 : fresh.interval;
  if (fresh.remaining != 0) {
    timer_set(self.timer, monotonic_now() + fresh.remaining);
  }
  return old;
}

}  // namespace runhl::kernel
