// SPDX-License-Identifier: Apache-2.0
#include "proc/posix_timer.h"

#include <linux/time_types.h>

#include <ctime>

#include "core/linux_signal.h"
#include "core/user_memory.h"
#include "host/clock.h"
#include "sched/timers.h"
#include "syscalls/handlers.h"
#include "syscalls/user_time.h"

namespace runhl::kernel {

namespace {

struct SignalEvent {  // struct sigevent
  std::uint64_t value;
  std::int32_t signal, notify, thread;
  std::int32_t padding[11];
};
static_assert(sizeof(SignalEvent) == 64);

__kernel_itimerspec to_words(const TimerSetting& setting) {
  return {to_timespec(setting.interval), to_timespec(setting.value)};
}

Process& own() {
  return *current().process;
}

std::int32_t timer_number(std::uint64_t argument) {
  return static_cast<std::int32_t>(argument);
}

}  // namespace

SyscallResult sys_timer_create(const SyscallArgs& args) {
  TimerRequest request{.clock = static_cast<int>(args.a0),
                       .notify = SIGEV_SIGNAL,
                       .signal = SIGALRM,
                       .value_is_id = true};
  if (args.a1 != 0) {
    const auto event = TRY(UserIn<SignalEvent>(args.a1).copy_in());
    request.notify = event.notify;
    request.signal = event.signal;
    request.thread = event.thread;
    request.value = event.value;
    request.value_is_id = false;
  }
  const std::int32_t id = TRY(posix_timer_create(own(), request));
  const Result<void> told = UserOut<std::int32_t>(args.a2).copy_out(id);
  if (!told) {
    (void)posix_timer_delete(own(), id);
    return tl::unexpected(told.error());
  }
  return 0;
}

SyscallResult sys_timer_settime(const SyscallArgs& args) {
  if (args.a2 == 0) {
    return fail(EINVAL);
  }
  const auto words = TRY(UserIn<__kernel_itimerspec>(args.a2).copy_in());
  const TimerSetting fresh{TRY(valid_time(words.it_value)), TRY(valid_time(words.it_interval))};
  const TimerTime kind = (args.a1 & TIMER_ABSTIME) != 0 ? TimerTime::Absolute : TimerTime::Relative;
  const TimerSetting old = TRY(posix_timer_set(own(), timer_number(args.a0), fresh, kind));
  fire_due_timers();
  if (args.a3 != 0) {
    TRY(UserOut<__kernel_itimerspec>(args.a3).copy_out(to_words(old)));
  }
  return 0;
}

SyscallResult sys_timer_gettime(const SyscallArgs& args) {
  const TimerSetting setting = TRY(posix_timer_get(own(), timer_number(args.a0)));
  TRY(UserOut<__kernel_itimerspec>(args.a1).copy_out(to_words(setting)));
  return 0;
}

SyscallResult sys_timer_getoverrun(const SyscallArgs& args) {
  return static_cast<std::uint64_t>(TRY(posix_timer_overrun(own(), timer_number(args.a0))));
}

SyscallResult sys_timer_delete(const SyscallArgs& args) {
  TRY(posix_timer_delete(own(), timer_number(args.a0)));
  return 0;
}

}  // namespace runhl::kernel
