// SPDX-License-Identifier: Apache-2.0
// Clocks and sleeps. Programs read clocks through the vdso; these serve those that do not.
#include <linux/times.h>
#include <sys/time.h>
#include <time.h>

#include "core/user_memory.h"
#include "host/clock.h"
#include "host/events.h"
#include "proc/interval_timer.h"
#include "proc/signals.h"
#include "sched/scheduler.h"
#include "syscalls/handlers.h"

namespace runhl::kernel {

namespace {

constexpr Nanoseconds kTick = kNanosPerSecond / 100;  // USER_HZ

/// CPU clocks: one task, always counted as running.
Nanoseconds cpu_time() {
  const Result<__kernel_timespec> now = clock_read(CLOCK_MONOTONIC);
  return now ? to_nanoseconds(*now) - boot_time() : 0;
}

bool is_cpu_clock(int clock) {
  return clock == CLOCK_PROCESS_CPUTIME_ID || clock == CLOCK_THREAD_CPUTIME_ID;
}

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

Result<__kernel_timespec> read_clock(int clock) {
  if (is_cpu_clock(clock)) {
    return to_timespec(cpu_time());
  }
  if (!is_host_clock(clock)) {
    return fail(EINVAL);
  }
  return clock_read(clock);
}

Result<Nanoseconds> valid_time(const __kernel_timespec& time) {
  if (time.tv_sec < 0 || time.tv_nsec < 0 || time.tv_nsec >= kNanosPerSecond) {
    return fail(EINVAL);
  }
  constexpr std::int64_t kMaxSeconds = INT64_MAX / kNanosPerSecond / 2;
  return time.tv_sec > kMaxSeconds ? kMaxSeconds * kNanosPerSecond : to_nanoseconds(time);
}

/// Until `deadline`, which only a signal cuts short.
Result<void> sleep_until(Nanoseconds deadline) {
  WaitQueue never;
  const Result<void> slept = wait(never, [] { return false; }, deadline, Interruptible::Yes);
  if (to_int(slept.error()) == ETIMEDOUT) {
    return {};
  }
  return slept;
}

/// A relative sleep; what was left goes to `remaining` when a signal came.
Result<void> sleep_for(Nanoseconds length, UserAddress remaining) {
  const Nanoseconds deadline = monotonic_now() + length;
  const Result<void> slept = sleep_until(deadline);
  if (!slept && remaining != 0) {
    const Nanoseconds left = deadline - monotonic_now();
    TRY(UserOut<__kernel_timespec>(remaining).copy_out(to_timespec(left < 0 ? 0 : left)));
  }
  return slept;
}

}  // namespace

SyscallResult sys_clock_gettime(const SyscallArgs& args) {
  const auto now = TRY(read_clock(static_cast<int>(args.a0)));
  TRY(UserOut<__kernel_timespec>(args.a1).copy_out(now));
  return 0;
}

SyscallResult sys_clock_getres(const SyscallArgs& args) {
  const int clock = static_cast<int>(args.a0);
  if (!is_cpu_clock(clock) && !is_host_clock(clock)) {
    return fail(EINVAL);
  }
  const bool coarse = clock == CLOCK_REALTIME_COARSE || clock == CLOCK_MONOTONIC_COARSE;
  const __kernel_timespec resolution{0, coarse ? 4'000'000 : 1};
  if (args.a1 != 0) {
    TRY(UserOut<__kernel_timespec>(args.a1).copy_out(resolution));
  }
  return 0;
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
  const auto request = TRY(UserIn<__kernel_timespec>(args.a0).copy_in());
  TRY(sleep_for(TRY(valid_time(request)), args.a1));
  return 0;
}

SyscallResult sys_clock_nanosleep(const SyscallArgs& args) {
  const int clock = static_cast<int>(args.a0);
  if (!is_host_clock(clock)) {
    return fail(is_cpu_clock(clock) ? ENOTSUP : EINVAL);
  }
  const auto request = TRY(UserIn<__kernel_timespec>(args.a2).copy_in());
  const Nanoseconds value = TRY(valid_time(request));
  if ((args.a1 & TIMER_ABSTIME) == 0) {
    TRY(sleep_for(value, args.a3));
    return 0;
  }
  // On the clock that deadlines are kept in. (A set wall clock is not followed.)
  const Nanoseconds ahead = value - to_nanoseconds(TRY(clock_read(clock)));
  if (ahead > 0) {
    const Result<void> slept = sleep_until(monotonic_now() + ahead);
    if (!slept) {
      return fail(to_int(slept.error()) == EINTR ? kRestartNoHandler : to_int(slept.error()));
    }
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
  if (args.a0 != ITIMER_REAL) {
    return fail(EINVAL);
  }
  TRY(UserOut<IntervalWords>(args.a1).copy_out(to_words(interval_timer_get(*current().process))));
  return 0;
}

SyscallResult sys_setitimer(const SyscallArgs& args) {
  if (args.a0 != ITIMER_REAL) {
    return fail(EINVAL);
  }
  IntervalSetting fresh;
  if (args.a1 != 0) {
    const auto words = TRY(UserIn<IntervalWords>(args.a1).copy_in());
    fresh.interval = TRY(valid_interval(words.interval));
    fresh.remaining = TRY(valid_interval(words.value));
  }
  const IntervalSetting old = TRY(interval_timer_set(*current().process, fresh));
  if (args.a2 != 0) {
    TRY(UserOut<IntervalWords>(args.a2).copy_out(to_words(old)));
  }
  return 0;
}

SyscallResult sys_getcpu(const SyscallArgs& args) {
  const std::uint32_t cpu = this_cpu().id;
  if (args.a0 != 0) {
    TRY(UserOut<std::uint32_t>(args.a0).copy_out(cpu));
  }
  if (args.a1 != 0) {
    TRY(UserOut<std::uint32_t>(args.a1).copy_out(0));
  }
  return 0;
}

SyscallResult sys_times(const SyscallArgs& args) {
  if (args.a0 != 0) {
    const tms value{cpu_time() / kTick, 0, 0, 0};
    TRY(UserOut<tms>(args.a0).copy_out(value));
  }
  return static_cast<std::uint64_t>(monotonic_now() / kTick);
}

}  // namespace runhl::kernel
