// SPDX-License-Identifier: Apache-2.0
#include "sched/timers.h"

#include "core/panic.h"
#include "host/clock.h"
#include "sched/scheduler.h"

namespace runhl::kernel {

namespace {
constinit TimerQueue* g_timers = nullptr;  // written once, by timers_init
}  // namespace

Result<void> timers_init() {
  g_timers = TRY(make<TimerQueue>()).release();
  return {};
}

TimerQueue& timers() {
  return *g_timers;
}

void timer_set(Timer& timer, Nanoseconds deadline) {
  if (timers().set(timer, deadline)) {
    this_cpu().raise(kPendTick);
  }
}

bool timer_cancel(Timer& timer) {
  return timers().cancel(timer);
}

void fire_due_timers() {
  if (timers().nearest() != kNoDeadline) {  // reading the clock costs more than looking
    timers().expire(monotonic_now());
  }
}

}  // namespace runhl::kernel
