// SPDX-License-Identifier: Apache-2.0
// Clocks and sleeps. Programs read clocks through the vdso; these serve those that do not.
#include <linux/times.h>
#include <sys/time.h>
#include <sys/timex.h>

#include <algorithm>
#include <array>
#include <ctime>

#include "core/user_memory.h"
#include "host/clock.h"
#include "proc/cpu_clock.h"
#include "proc/cpu_time.h"
#include "proc/cpu_timers.h"
#include "proc/interval_timer.h"
#include "proc/restart.h"
#include "sched/tick.h"
#include "sched/timers.h"
#include "syscalls/handlers.h"
#include "syscalls/user_time.h"

namespace runhl::kernel {

namespace {

constexpr Nanoseconds kTick = kNanosPerSecond / 100;  // USER_HZ

bool is_host_clock(int clock) {
  switch (clock) {
    case CLOCK_REALTIME:
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_REALTIME_COARSE:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_BOOTTIME:
    case CLOCK_TAI:
      return true;
    default:
      return false;
  }
}

/// As on a machine without an alarm clock: they can be read, and nothing waits for them.
bool is_alarm_clock(int clock) {
  return clock == CLOCK_REALTIME_ALARM || clock == CLOCK_BOOTTIME_ALARM;
}

Result<__kernel_timespec> read_clock(int clock) {
  if (is_cpu_clock(clock)) {
    return to_timespec(read_cpu_clock(TRY(find_cpu_clock(clock))));
  }
  if (!is_host_clock(clock)) {
    return fail(EINVAL);
  }
  return clock_read(clock);
}

struct SleepRequest {
  Nanoseconds deadline = 0;  // on CLOCK_MONOTONIC
  UserAddress remaining = 0;
};

Result<std::uint64_t> sleep_again(const RestartBlock& block);

/// Until the deadline, which only a signal cuts short.
Result<void> sleep_until(Nanoseconds deadline) {
  WaitQueue never;
  const Result<void> slept = wait(never, [] { return false; }, deadline, Interruptible::Yes);
  return to_int(slept.error()) == ETIMEDOUT ? Result<void>{} : slept;
}

/// A relative sleep: after a signal without a handler it goes on for the rest.
Result<void> sleep_for(const SleepRequest& request) {
  const Result<void> slept = sleep_until(request.deadline);
  if (slept) {
    return {};
  }
  if (request.remaining != 0) {
    const Nanoseconds left = std::max<Nanoseconds>(request.deadline - monotonic_now(), 0);
    TRY(UserOut<__kernel_timespec>(request.remaining).copy_out(to_timespec(left)));
  }
  current().restart = {
      .again = &sleep_again, .deadline = request.deadline, .words = {request.remaining}};
  return fail(kRestartBlock);
}

Result<std::uint64_t> sleep_again(const RestartBlock& block) {
  TRY(sleep_for({block.deadline, block.words[0]}));
  return 0;
}

/// On a process's CPU clock; its own thread's would never come.
Result<void> sleep_on_cpu_clock(int clock, Nanoseconds value, bool absolute) {
  const CpuClock of = TRY(find_cpu_clock(clock));
  if (of.task.get() == &current()) {
    return fail(EINVAL);
  }
  const Nanoseconds end = absolute ? value : read_cpu_clock(of) + value;
  for (;;) {
    const Nanoseconds left = end - read_cpu_clock(of);
    if (left <= 0) {
      return {};
    }
    // CPU time does not pass faster than time while one CPU is all there is.
    const Result<void> slept = sleep_until(monotonic_now() + std::max(left, kTickPeriod));
    if (!slept) {
      return fail(absolute ? kRestartNoHandler : EINTR);
    }
  }
}

}  // namespace

SyscallResult sys_clock_gettime(const SyscallArgs& args) {
  const auto now = TRY(read_clock(static_cast<int>(args.a0)));
  TRY(UserOut<__kernel_timespec>(args.a1).copy_out(now));
  return 0;
}

SyscallResult sys_clock_getres(const SyscallArgs& args) {
  const int clock = static_cast<int>(args.a0);
  if (is_cpu_clock(clock)) {
    TRY(find_cpu_clock(clock));
  } else if (!is_host_clock(clock)) {
    return fail(EINVAL);
  }
  const bool coarse = clock == CLOCK_REALTIME_COARSE || clock == CLOCK_MONOTONIC_COARSE;
  const __kernel_timespec resolution{0, coarse ? 4'000'000 : 1};
  if (args.a1 != 0) {
    TRY(UserOut<__kernel_timespec>(args.a1).copy_out(resolution));
  }
  return 0;
}

/// No program may set the host's clocks, whatever it may do here.
SyscallResult sys_clock_settime(const SyscallArgs& args) {
  const int clock = static_cast<int>(args.a0);
  if (clock != CLOCK_REALTIME && !is_cpu_clock(clock)) {
    return fail(EINVAL);
  }
  if (is_cpu_clock(clock)) {
    TRY(find_cpu_clock(clock));
    return fail(EPERM);
  }
  TRY(read_user_time(args.a1));
  return fail(EPERM);
}

SyscallResult sys_settimeofday(const SyscallArgs& args) {
  if (args.a0 != 0) {
    const auto time = TRY(UserIn<__kernel_old_timeval>(args.a0).copy_in());
    if (time.tv_usec < 0 || time.tv_usec > 1'000'000) {
      return fail(EINVAL);
    }
  }
  if (args.a1 != 0) {
    TRY(UserIn<std::array<std::int32_t, 2>>(args.a1).copy_in());
  }
  return fail(EPERM);
}

namespace {

/// What can be told of a clock that somebody else keeps right.
SyscallResult adjust(int clock, UserAddress address) {
  auto words = TRY(UserIn<struct timex>(address).copy_in());
  if (clock != CLOCK_REALTIME) {
    return fail(is_host_clock(clock) ? EOPNOTSUPP : EINVAL);
  }
  if (words.modes != 0) {
    return fail(EPERM);
  }
  const auto now = TRY(clock_read(CLOCK_REALTIME));
  constexpr long long kTickMicroseconds = 10'000;
  constexpr long long kMaxError = 16'000'000;
  words = {};
  words.status = STA_UNSYNC | STA_NANO;
  words.maxerror = words.esterror = kMaxError;
  words.constant = 2;
  words.precision = 1;
  words.tolerance = 32'768'000;  // MAXFREQ scaled
  words.tick = kTickMicroseconds;
  words.time = {now.tv_sec, now.tv_nsec};
  TRY(UserOut<struct timex>(address).copy_out(words));
  return TIME_ERROR;  // not synchronised, as far as is known here
}

}  // namespace

SyscallResult sys_clock_adjtime(const SyscallArgs& args) {
  return adjust(static_cast<int>(args.a0), args.a1);
}
SyscallResult sys_adjtimex(const SyscallArgs& args) {
  return adjust(CLOCK_REALTIME, args.a0);
}

SyscallResult sys_gettimeofday(const SyscallArgs& args) {
  if (args.a0 != 0) {
    const auto now = TRY(clock_read(CLOCK_REALTIME));
    const __kernel_old_timeval value{now.tv_sec, now.tv_nsec / 1000};
    TRY(UserOut<__kernel_old_timeval>(args.a0).copy_out(value));
  }
  if (args.a1 != 0) {
    TRY(clear_user(args.a1, 2 * sizeof(std::int32_t)));  // struct timezone: always UTC
  }
  return 0;
}

SyscallResult sys_time(const SyscallArgs& args) {
  const auto now = TRY(clock_read(CLOCK_REALTIME));
  if (args.a0 != 0) {
    TRY(UserOut<std::int64_t>(args.a0).copy_out(now.tv_sec));
  }
  return static_cast<std::uint64_t>(now.tv_sec);
}

SyscallResult sys_nanosleep(const SyscallArgs& args) {
  TRY(sleep_for({deadline_after(TRY(read_user_time(args.a0))), args.a1}));
  return 0;
}

SyscallResult sys_clock_nanosleep(const SyscallArgs& args) {
  const int clock = static_cast<int>(args.a0);
  const bool absolute = (args.a1 & TIMER_ABSTIME) != 0;
  const bool coarse_or_raw = clock == CLOCK_MONOTONIC_RAW || clock == CLOCK_REALTIME_COARSE ||
                             clock == CLOCK_MONOTONIC_COARSE;
  if (coarse_or_raw || is_alarm_clock(clock)) {
    return fail(EOPNOTSUPP);
  }
  if (!is_host_clock(clock) && !is_cpu_clock(clock)) {
    return fail(EINVAL);
  }
  const Nanoseconds value = TRY(read_user_time(args.a2));
  if (is_cpu_clock(clock)) {
    TRY(sleep_on_cpu_clock(clock, value, absolute));
    return 0;
  }
  if (!absolute) {
    TRY(sleep_for({deadline_after(value), args.a3}));
    return 0;
  }
  const Result<void> slept = sleep_until(deadline_at(clock, value));
  if (!slept) {
    return fail(kRestartNoHandler);
  }
  return 0;
}

namespace {

struct IntervalWords {  // struct itimerval
  __kernel_old_timeval interval, value;
};

Result<Nanoseconds> valid_interval(const __kernel_old_timeval& time) {
  if (time.tv_usec < 0 || time.tv_usec >= 1'000'000) {
    return fail(EINVAL);
  }
  return valid_time({time.tv_sec, time.tv_usec * 1000});
}

__kernel_old_timeval to_timeval(Nanoseconds value) {
  return {value / kNanosPerSecond, value % kNanosPerSecond / 1000};
}

IntervalWords to_words(const IntervalSetting& setting) {
  return {to_timeval(setting.interval), to_timeval(setting.remaining)};
}

}  // namespace

SyscallResult sys_alarm(const SyscallArgs& args) {
  const auto seconds = static_cast<std::uint32_t>(args.a0);
  const IntervalSetting fresh{std::int64_t{seconds} * kNanosPerSecond, 0};
  const IntervalSetting old = TRY(interval_timer_set(*current().process, fresh));
  // Rounded, but an armed alarm never says 0.
  const Nanoseconds rounded = (old.remaining + kNanosPerSecond / 2) / kNanosPerSecond;
  return static_cast<std::uint64_t>(old.remaining != 0 && rounded == 0 ? 1 : rounded);
}

SyscallResult sys_getitimer(const SyscallArgs& args) {
  Process& process = *current().process;
  const auto which = static_cast<int>(args.a0);
  if (which < ITIMER_REAL || which > ITIMER_PROF) {
    return fail(EINVAL);
  }
  const IntervalSetting setting =
      which == ITIMER_REAL ? interval_timer_get(process) : cpu_interval_get(process, which);
  TRY(UserOut<IntervalWords>(args.a1).copy_out(to_words(setting)));
  return 0;
}

SyscallResult sys_setitimer(const SyscallArgs& args) {
  Process& process = *current().process;
  const auto which = static_cast<int>(args.a0);
  IntervalSetting fresh;
  if (args.a1 != 0) {
    const auto words = TRY(UserIn<IntervalWords>(args.a1).copy_in());
    fresh.interval = TRY(valid_interval(words.interval));
    fresh.remaining = TRY(valid_interval(words.value));
  }
  if (which < ITIMER_REAL || which > ITIMER_PROF) {
    return fail(EINVAL);
  }
  const IntervalSetting old = which == ITIMER_REAL ? TRY(interval_timer_set(process, fresh))
                                                   : cpu_interval_set(process, which, fresh);
  fire_due_timers();
  if (args.a2 != 0) {
    TRY(UserOut<IntervalWords>(args.a2).copy_out(to_words(old)));
  }
  return 0;
}

SyscallResult sys_times(const SyscallArgs& args) {
  if (args.a0 != 0) {
    Process& process = *current().process;
    const CpuTime own = process_cpu_time(process);
    const CpuTime children = process_children_time(process);
    const tms value{own.user / kTick, own.system / kTick, children.user / kTick,
                    children.system / kTick};
    TRY(UserOut<tms>(args.a0).copy_out(value));
  }
  return static_cast<std::uint64_t>(monotonic_now() / kTick);
}

}  // namespace runhl::kernel
