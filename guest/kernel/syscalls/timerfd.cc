// SPDX-License-Identifier: Apache-2.0
// timerfd_create, timerfd_settime, timerfd_gettime.
#include <linux/capability.h>
#include <linux/time_types.h>

#include <algorithm>
#include <ctime>

#include "fs/objects/timer_file.h"
#include "host/clock.h"
#include "sched/timers.h"
#include "syscalls/context.h"
#include "syscalls/handlers.h"

namespace runhl::kernel {
namespace {

// include/uapi/linux/timerfd.h; TFD_CLOEXEC and TFD_NONBLOCK are O_CLOEXEC and O_NONBLOCK.
constexpr std::uint32_t kAbsolute = 1;     // TFD_TIMER_ABSTIME
constexpr std::uint32_t kCancelOnSet = 2;  // TFD_TIMER_CANCEL_ON_SET: nobody sets clocks in here

Result<Nanoseconds> valid_time(const __kernel_timespec& time) {
  if (time.tv_sec < 0 || time.tv_nsec < 0 || time.tv_nsec >= kNanosPerSecond) {
    return fail(EINVAL);
  }
  constexpr std::int64_t kMaxSeconds = INT64_MAX / kNanosPerSecond / 4;  // sums do not overflow
  return time.tv_sec > kMaxSeconds ? kMaxSeconds * kNanosPerSecond : to_nanoseconds(time);
}

__kernel_itimerspec to_itimerspec(const TimerFileSetting& setting) {
  return {.it_interval = to_timespec(setting.interval), .it_value = to_timespec(setting.value)};
}

struct TimerRef {
  Ref<File> file;
  FileTimer* timer = nullptr;
};
Result<TimerRef> timer_of(int fd) {
  TimerRef result;
  result.file = TRY(current_files().get(fd));
  result.timer = result.file->as_timer();
  if (result.timer == nullptr) {
    return fail(EINVAL);
  }
  return result;
}

}  // namespace

SyscallResult sys_timerfd_create(const SyscallArgs& args) {
  const int clock = to_fd(args.a0);
  const std::uint32_t flags = to_u32(args.a1);
  const bool alarm = clock == CLOCK_REALTIME_ALARM || clock == CLOCK_BOOTTIME_ALARM;
  if ((flags & ~std::uint32_t{O_CLOEXEC | O_NONBLOCK}) != 0 ||
      (clock != CLOCK_MONOTONIC && clock != CLOCK_REALTIME && clock != CLOCK_BOOTTIME && !alarm)) {
    return fail(EINVAL);
  }
  if (alarm && !current().credentials.has(CAP_WAKE_ALARM)) {
    return fail(EPERM);
  }
  Ref<FileTimer> timer = TRY(make_ref<FileTimer>(clock));
  return install_file(TRY(make_ref<TimerFile>(std::move(timer), O_RDWR | (flags & O_NONBLOCK))),
                      flags);
}

SyscallResult sys_timerfd_settime(const SyscallArgs& args) {
  const auto wanted = TRY(UserIn<__kernel_itimerspec>(args.a2).copy_in());
  const std::uint32_t flags = to_u32(args.a1);
  if ((flags & ~(kAbsolute | kCancelOnSet)) != 0) {
    return fail(EINVAL);
  }
  const TimerFileSetting fresh{.interval = TRY(valid_time(wanted.it_interval)),
                               .value = TRY(valid_time(wanted.it_value))};
  const TimerRef it = TRY(timer_of(to_fd(args.a0)));
  const bool absolute = (flags & kAbsolute) != 0;
  const TimerFileSetting old =
      it.timer->set(fresh, absolute ? FileTimer::Start::Absolute : FileTimer::Start::Relative);
  fire_due_timers();
  if (args.a3 != 0) {
    TRY(UserOut<__kernel_itimerspec>(args.a3).copy_out(to_itimerspec(old)));
  }
  return 0;
}

SyscallResult sys_timerfd_gettime(const SyscallArgs& args) {
  const TimerRef it = TRY(timer_of(to_fd(args.a0)));
  TRY(UserOut<__kernel_itimerspec>(args.a1).copy_out(to_itimerspec(it.timer->get())));
  return 0;
}

}  // namespace runhl::kernel
