// SPDX-License-Identifier: Apache-2.0
#include "proc/cpu_timers.h"

#include <sys/resource.h>
#include <sys/time.h>

#include <algorithm>

#include "core/linux_signal.h"
#include "host/clock.h"
#include "proc/cpu_clock.h"
#include "proc/cpu_time.h"
#include "proc/posix_timer.h"
#include "proc/signals.h"
#include "sched/scheduler.h"

namespace runhl::kernel {

namespace {

constexpr std::uint64_t kUnlimited = ~0ULL;

CpuInterval& interval_of(Process& process, int which) {
  return process.cpu_intervals[which == ITIMER_VIRTUAL ? 0 : 1];
}

Nanoseconds clock_of(const CpuTime& time, int which) {
  return which == ITIMER_VIRTUAL ? time.user : time.total();
}

void nearer(Nanoseconds& nearest, Nanoseconds remaining) {
  remaining = std::max<Nanoseconds>(remaining, 0);
  nearest = nearest == kNoDeadline ? remaining : std::min(nearest, remaining);
}

void send_from_kernel(Process& process, int number) {
  SignalInfo info;
  info.number = number;
  info.code = SI_KERNEL;
  (void)signal_send(process, info, Origin::Guest);  // out of memory: lost, as on Linux
}

/// Soft and hard limit in nanoseconds; kNoDeadline: none.
Nanoseconds limit_nanoseconds(std::uint64_t seconds) {
  constexpr std::uint64_t kMax = INT64_MAX / 1'000'000'000;
  return seconds == kUnlimited || seconds > kMax
             ? kNoDeadline
             : static_cast<Nanoseconds>(seconds) * kNanosPerSecond;
}

void check_limit(Process& process, const CpuTime& time) {
  abi::BootRlimit& limit = process.rlimits[RLIMIT_CPU];
  const Nanoseconds hard = limit_nanoseconds(limit.hard);
  if (hard != kNoDeadline && time.total() >= hard) {
    send_from_kernel(process, SIGKILL);
    return;
  }
  const Nanoseconds soft = limit_nanoseconds(limit.soft);
  if (soft != kNoDeadline && time.total() >= soft) {
    ++limit.soft;  // again a second later, as Linux does
    send_from_kernel(process, SIGXCPU);
  }
}

void check_interval(Process& process, int which, const CpuTime& time) {
  CpuInterval& self = interval_of(process, which);
  const Nanoseconds now = clock_of(time, which);
  if (self.deadline == 0 || self.deadline > now) {
    return;
  }
  self.deadline = self.interval == 0 ? 0 : self.deadline + self.interval;
  if (self.deadline != 0 && self.deadline <= now) {
    self.deadline = now + self.interval;
  }
  send_from_kernel(process, which == ITIMER_VIRTUAL ? SIGVTALRM : SIGPROF);
}

void set_armed(PosixTimer& timer, bool armed) {
  if (timer.armed_on_cpu == armed) {
    return;
  }
  timer.armed_on_cpu = armed;
  std::atomic<std::uint32_t>& count = timer.process->timers.armed_on_cpu;
  armed ? count.fetch_add(1) : count.fetch_sub(1);
}

/// One that is due, taken out of the count of armed ones. Null: none.
Ref<PosixTimer> next_due(Process& process) {
  const SpinLock::Guard guard(process.signals->lock);
  for (PosixTimer& timer : process.timers.list) {
    if (timer.armed_on_cpu && timer.seen >= timer.deadline) {
      set_armed(timer, false);
      return Ref<PosixTimer>(&timer);
    }
  }
  return nullptr;
}

/// Reads the clocks of all armed timers, which cannot be done under the lock that guards the list:
/// the list is walked by number.
void look_at_clocks(Process& process) {
  std::int32_t next = 0;
  for (;;) {
    Ref<PosixTimer> timer;
    {
      const SpinLock::Guard guard(process.signals->lock);
      for (PosixTimer& candidate : process.timers.list) {
        if (candidate.armed_on_cpu && candidate.id >= next &&
            (timer == nullptr || candidate.id < timer->id)) {
          timer = Ref<PosixTimer>(&candidate);
        }
      }
    }
    if (timer == nullptr) {
      return;
    }
    timer->seen = cpu_timer_clock(*timer);
    next = timer->id + 1;
  }
}

bool has_armed_timer(const Process& process) {
  return process.timers.armed_on_cpu.load() != 0;
}

bool has_limit(const Process& process) {
  const abi::BootRlimit& limit = process.rlimits[RLIMIT_CPU];
  return limit.soft != kUnlimited || limit.hard != kUnlimited;
}

bool is_active(const Process& process) {
  return process.cpu_intervals[0].deadline != 0 || process.cpu_intervals[1].deadline != 0 ||
         has_limit(process) || has_armed_timer(process);
}

}  // namespace

Nanoseconds cpu_timer_clock(const PosixTimer& timer) {
  CpuClock clock;
  clock.kind =
      timer.clock < 0 ? static_cast<CpuClockKind>(timer.clock & 3) : CpuClockKind::Scheduled;
  if (timer.clocked != nullptr) {
    clock.task = timer.clocked;
  } else {
    clock.process = Ref<Process>(timer.process);
  }
  return read_cpu_clock(clock);
}

IntervalSetting cpu_interval_get(Process& process, int which) {
  const CpuInterval& self = interval_of(process, which);
  if (self.deadline == 0) {
    return {0, self.interval};
  }
  const Nanoseconds now = clock_of(process_cpu_time(process), which);
  return {std::max<Nanoseconds>(self.deadline - now, 1000), self.interval};
}

IntervalSetting cpu_interval_set(Process& process, int which, const IntervalSetting& fresh) {
  const IntervalSetting old = cpu_interval_get(process, which);
  const Nanoseconds now = clock_of(process_cpu_time(process), which);
  interval_of(process, which) = {fresh.remaining == 0 ? 0 : now + fresh.remaining, fresh.interval};
  this_cpu().raise(kPendTick);
  return old;
}

void cpu_timers_add(PosixTimer& timer) {
  set_armed(timer, true);
  this_cpu().raise(kPendTick);
}

void cpu_timers_remove(PosixTimer& timer) {
  set_armed(timer, false);
}

Nanoseconds cpu_timers_remaining(Task& task) {
  Process* const process = task.process;
  if (process == nullptr || !is_active(*process)) {
    return kNoDeadline;
  }
  Nanoseconds nearest = kNoDeadline;
  const CpuTime time = process_cpu_time(*process);
  for (const int which : {ITIMER_VIRTUAL, ITIMER_PROF}) {
    const CpuInterval& self = interval_of(*process, which);
    if (self.deadline != 0) {
      nearer(nearest, self.deadline - clock_of(time, which));
    }
  }
  for (const std::uint64_t seconds :
       {process->rlimits[RLIMIT_CPU].soft, process->rlimits[RLIMIT_CPU].hard}) {
    const Nanoseconds limit = limit_nanoseconds(seconds);
    if (limit != kNoDeadline) {
      nearer(nearest, limit - time.total());
    }
  }
  if (has_armed_timer(*process)) {
    look_at_clocks(*process);
    const SpinLock::Guard guard(process->signals->lock);
    for (const PosixTimer& timer : process->timers.list) {
      if (timer.armed_on_cpu) {
        nearer(nearest, timer.deadline - timer.seen);
      }
    }
  }
  return nearest;
}

void cpu_timers_check(Task& task) {
  Process* const process = task.process;
  if (process == nullptr || !is_active(*process)) {
    return;
  }
  const CpuTime time = process_cpu_time(*process);
  check_limit(*process, time);
  check_interval(*process, ITIMER_VIRTUAL, time);
  check_interval(*process, ITIMER_PROF, time);
  if (has_armed_timer(*process)) {
    look_at_clocks(*process);
    while (const Ref<PosixTimer> due = next_due(*process)) {
      posix_timer_expired(*due);
    }
  }
}

}  // namespace runhl::kernel
