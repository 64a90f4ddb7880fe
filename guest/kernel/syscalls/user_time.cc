// SPDX-License-Identifier: Apache-2.0
#include "syscalls/user_time.h"

#include <algorithm>
#include <ctime>

#include "host/clock.h"

namespace runhl::kernel {

namespace {
constexpr Nanoseconds kLongest = INT64_MAX / 4;  // 73 years; sums of two do not overflow
}  // namespace

Result<Nanoseconds> valid_time(const __kernel_timespec& time) {
  if (time.tv_sec < 0 || time.tv_nsec < 0 || time.tv_nsec >= kNanosPerSecond) {
    return fail(EINVAL);
  }
  return time.tv_sec >= kLongest / kNanosPerSecond ? kLongest : to_nanoseconds(time);
}

Result<Nanoseconds> read_user_time(UserAddress address) {
  return valid_time(TRY(UserIn<__kernel_timespec>(address).copy_in()));
}

Nanoseconds deadline_after(Nanoseconds length) {
  return monotonic_now() + std::min(length, kLongest);
}

Nanoseconds deadline_at(int clock, Nanoseconds time) {
  if (clock == CLOCK_MONOTONIC) {
    return time;
  }
  const Result<__kernel_timespec> now = clock_read(clock);
  const Nanoseconds ahead = now ? time - to_nanoseconds(*now) : 0;
  return std::max<Nanoseconds>(monotonic_now() + ahead, 0);
}

}  // namespace runhl::kernel
