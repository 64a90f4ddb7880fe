// SPDX-License-Identifier: Apache-2.0
#include "proc/posix_timer.h"

#include <sys/resource.h>

#include <algorithm>
#include <climits>
#include <ctime>
#include <utility>

#include "core/linux_signal.h"
#include "host/clock.h"
#include "proc/cpu_clock.h"
#include "proc/cpu_timers.h"
#include "proc/signals.h"
#include "sched/tick.h"

namespace runhl::kernel {

namespace {

/// siginfo of SI_TIMER: the sender's fields under other names (siginfo.h).
void describe(PosixTimer& timer) {
  timer.entry.info.sender.pid = timer.id;
  timer.entry.info.sender.uid = static_cast<std::uint32_t>(timer.last_overrun);
}

/// A CPU clock cannot be read with the lock held: then it is what the tick saw last.
Nanoseconds now_locked(const PosixTimer& timer) {
  if (is_cpu_clock(timer.clock)) {
    return timer.seen;
  }
  const Result<__kernel_timespec> now = clock_read(timer.clock);
  return now ? to_nanoseconds(*now) : 0;
}

/// No lock held.
void look_at_clock(PosixTimer& timer) {
  if (is_cpu_clock(timer.clock)) {
    timer.seen = cpu_timer_clock(timer);
  }
}

void arm(PosixTimer& timer) {
  if (is_cpu_clock(timer.clock)) {
    cpu_timers_add(timer);
    return;
  }
  const Nanoseconds ahead = timer.deadline - now_locked(timer);
  timer_set(timer.timer, std::max<Nanoseconds>(monotonic_now() + ahead, 0));
}

/// Off whatever would fire it. False: it was not armed, or is just firing.
void disarm(PosixTimer& timer) {
  (void)timer_cancel(timer.timer);
  cpu_timers_remove(timer);
}

/// Moves the deadline of a periodic timer beyond `now`; how many expiries that skipped.
std::uint64_t forward(PosixTimer& timer, Nanoseconds now) {
  if (timer.interval == 0 || timer.deadline > now) {
    return 0;
  }
  const Nanoseconds periods = (now - timer.deadline) / timer.interval + 1;
  timer.deadline += periods * timer.interval;
  return static_cast<std::uint64_t>(periods);
}

void on_expiry(Timer& timer) {
  // SAFETY: only posix_timer_create sets this function, on the timer of a PosixTimer.
  auto& self = *boost::intrusive::get_parent_from_member(&timer, &PosixTimer::timer);
  const Ref<PosixTimer> keep(&self);
  posix_timer_expired(self);
}

PosixTimer* find(Process& process, std::int32_t id) {
  for (PosixTimer& timer : process.timers.list) {
    if (timer.id == id) {
      return &timer;
    }
  }
  return nullptr;
}

Result<Ref<PosixTimer>> find_ref(Process& process, std::int32_t id) {
  const SpinLock::Guard guard(process.signals->lock);
  PosixTimer* const timer = find(process, id);
  if (timer == nullptr) {
    return fail(EINVAL);
  }
  return Ref<PosixTimer>(timer);
}

/// What timer_gettime says, with the lock held.
TimerSetting setting_of(const PosixTimer& timer, Nanoseconds now) {
  if (timer.deadline == 0) {
    return {0, timer.interval};
  }
  Nanoseconds deadline = timer.deadline;
  if (timer.interval != 0 && deadline <= now) {
    deadline += ((now - deadline) / timer.interval + 1) * timer.interval;
  }
  if (deadline <= now) {
    // About to fire, which is not told as "disarmed"; one without a signal does nothing more.
    return {timer.silent ? 0 : 1, timer.interval};
  }
  return {deadline - now, timer.interval};
}

Result<void> check_clock(PosixTimer& timer) {
  switch (timer.clock) {
    case CLOCK_REALTIME:
    case CLOCK_MONOTONIC:
    case CLOCK_BOOTTIME:
    case CLOCK_TAI:
      return {};
    case CLOCK_REALTIME_ALARM:  // as on a machine without an alarm clock
    case CLOCK_BOOTTIME_ALARM:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_REALTIME_COARSE:
    case CLOCK_MONOTONIC_COARSE:
      return fail(EOPNOTSUPP);
    default:
      break;
  }
  if (!is_cpu_clock(timer.clock)) {
    return fail(EINVAL);
  }
  const CpuClock clock = TRY(find_cpu_clock(timer.clock));
  timer.clocked = clock.task;
  if (clock.process != nullptr && clock.process.get() != timer.process) {
    return fail(EINVAL);  // another process's clock drives no timer here
  }
  return {};
}

Result<void> check_notification(PosixTimer& timer, const TimerRequest& request) {
  switch (request.notify) {
    case SIGEV_NONE:
      timer.silent = true;
      return {};
    case SIGEV_THREAD_ID: {
      timer.thread = find_task(request.thread);
      if (timer.thread == nullptr || timer.thread->process != timer.process) {
        return fail(EINVAL);
      }
      break;
    }
    case SIGEV_SIGNAL:
    case SIGEV_THREAD:
      break;
    default:
      return fail(EINVAL);
  }
  if (request.signal < 1 || request.signal > kSignalCount) {
    return fail(EINVAL);
  }
  return {};
}

}  // namespace

void posix_timer_expired(PosixTimer& timer) {
  {
    const SpinLock::Guard guard(timer.process->signals->lock);
    const bool valid_in_queue = timer.queued && !timer.outdated;
    if (timer.deadline == 0 || valid_in_queue || timer.silent) {
      return;
    }
    const bool still_queued = std::exchange(timer.queued, true);
    timer.outdated = false;
    timer.deadline = timer.interval == 0 ? 0 : timer.deadline;
    timer.overruns = 0;
    timer.last_overrun = 0;
    describe(timer);
    if (still_queued) {
      return;  // what lies in the queue is of this expiry now
    }
    intrusive_ptr_add_ref(&timer);  // the queue's
  }
  if (signal_send_entry(*timer.process, timer.thread.get(), timer.entry)) {
    return;
  }
  // Ignored: it goes on by itself, so that a handler set later finds it running.
  const SpinLock::Guard guard(timer.process->signals->lock);
  posix_timer_unqueued(timer);
  if (timer.interval != 0 && timer.deadline != 0) {
    // A period that is shorter than a tick would keep the machine busy for nothing.
    const Nanoseconds pause = timer.interval < kTickPeriod ? kTickPeriod : 0;
    (void)forward(timer, now_locked(timer) + pause);
    arm(timer);
  }
}

bool posix_timer_outdated(const PosixTimer& timer) {
  return timer.outdated;
}

void posix_timer_delivered(PosixTimer& timer) {
  if (timer.interval != 0 && timer.deadline != 0) {
    const std::uint64_t passed = forward(timer, now_locked(timer));
    timer.overruns += passed == 0 ? 0 : passed - 1;
    arm(timer);
  }
  timer.last_overrun = static_cast<std::int32_t>(std::min<std::uint64_t>(timer.overruns, INT_MAX));
  describe(timer);
}

void posix_timer_unqueued(PosixTimer& timer) {
  timer.queued = timer.outdated = false;
  intrusive_ptr_release(&timer);
}

Result<std::int32_t> posix_timer_create(Process& process, const TimerRequest& request) {
  Ref<PosixTimer> timer = TRY(make_ref<PosixTimer>());
  timer->process = &process;
  timer->clock = request.clock;
  timer->timer.fire = &on_expiry;
  timer->entry.timer = timer.get();
  TRY(check_clock(*timer));
  TRY(check_notification(*timer, request));
  SignalState& state = *process.signals;
  const SpinLock::Guard guard(state.lock);
  if (state.queued >= process.rlimits[RLIMIT_SIGPENDING].soft) {
    return fail(EAGAIN);
  }
  ++state.queued;
  do {
    timer->id = process.timers.next_id++;
    process.timers.next_id &= INT_MAX;
  } while (find(process, timer->id) != nullptr);
  SignalInfo& info = timer->entry.info;
  info.number = request.signal;
  info.code = SI_TIMER;
  info.sender.value = request.value_is_id ? static_cast<std::uint64_t>(timer->id) : request.value;
  const std::int32_t id = timer->id;
  process.timers.list.push_back(*timer.detach());
  return id;
}

Result<void> posix_timer_delete(Process& process, std::int32_t id) {
  const Ref<PosixTimer> timer = TRY(find_ref(process, id));
  const SpinLock::Guard guard(process.signals->lock);
  if (!timer->is_linked()) {
    return fail(EINVAL);
  }
  timer->deadline = 0;
  timer->outdated = timer->queued;
  disarm(*timer);
  process.timers.list.erase(process.timers.list.iterator_to(*timer));
  --process.signals->queued;
  intrusive_ptr_release(timer.get());  // the list's; not the last one
  return {};
}

Result<TimerSetting> posix_timer_set(Process& process, std::int32_t id, const TimerSetting& fresh,
                                     TimerTime kind) {
  const Ref<PosixTimer> timer = TRY(find_ref(process, id));
  look_at_clock(*timer);
  const SpinLock::Guard guard(process.signals->lock);
  const Nanoseconds now = now_locked(*timer);
  const TimerSetting old = setting_of(*timer, now);
  disarm(*timer);
  timer->outdated = timer->queued;
  timer->interval = fresh.value == 0 ? 0 : fresh.interval;
  timer->overruns = 0;
  timer->last_overrun = 0;
  timer->deadline = fresh.value == 0              ? 0
                    : kind == TimerTime::Absolute ? fresh.value
                                                  : now + fresh.value;
  if (timer->deadline != 0 && !timer->silent) {
    arm(*timer);
  }
  return old;
}

Result<TimerSetting> posix_timer_get(Process& process, std::int32_t id) {
  const Ref<PosixTimer> timer = TRY(find_ref(process, id));
  look_at_clock(*timer);
  const SpinLock::Guard guard(process.signals->lock);
  const Nanoseconds now = now_locked(*timer);
  return setting_of(*timer, now);
}

Result<std::int32_t> posix_timer_overrun(Process& process, std::int32_t id) {
  return TRY(find_ref(process, id))->last_overrun;
}

void posix_timers_clear(Process& process) {
  for (;;) {
    Ref<PosixTimer> timer;
    {
      const SpinLock::Guard guard(process.signals->lock);
      if (process.timers.list.empty()) {
        return;
      }
      timer = Ref<PosixTimer>(&process.timers.list.front());
    }
    (void)posix_timer_delete(process, timer->id);  // EINVAL: another thread was faster
  }
}

}  // namespace runhl::kernel
