// SPDX-License-Identifier: Apache-2.0
#include "syscalls/waiting.h"

#include <linux/time_types.h>

#include <algorithm>

#include "host/clock.h"
#include "proc/signals.h"
#include "proc/task.h"

namespace runhl::kernel {

Result<Nanoseconds> deadline_in(std::int64_t seconds, std::int64_t nanoseconds) {
  if (seconds < 0 || nanoseconds < 0 || nanoseconds >= kNanosPerSecond) {
    return fail(EINVAL);
  }
  constexpr std::int64_t kForever = 1LL << 32;  // seconds; the sum must not overflow
  return monotonic_now() + std::min(seconds, kForever) * kNanosPerSecond + nanoseconds;
}

Result<Nanoseconds> deadline_from_timespec(UserAddress from) {
  if (from == 0) {
    return kNoDeadline;
  }
  const auto time = TRY(UserIn<__kernel_timespec>(from).copy_in());
  return deadline_in(time.tv_sec, time.tv_nsec);
}

Nanoseconds deadline_in_milliseconds(int timeout) {
  constexpr Nanoseconds kMillisecond = 1'000'000;
  return timeout < 0 ? kNoDeadline : monotonic_now() + timeout * kMillisecond;
}

TemporaryMask::~TemporaryMask() {
  TaskSignals& signals = current().signals;
  if (signals.restore_mask && !signal_pending(current())) {
    signals.restore_mask = false;
    set_blocked(current(), signals.saved_mask);
  }
}

Result<void> TemporaryMask::set(UserAddress mask, std::uint64_t size) {
  if (mask == 0) {
    return {};
  }
  if (size != sizeof(SignalSet)) {
    return fail(EINVAL);
  }
  const SignalSet wanted = TRY(UserIn<SignalSet>(mask).copy_in());
  TaskSignals& signals = current().signals;
  signals.saved_mask = signals.blocked;
  signals.restore_mask = true;
  set_blocked(current(), wanted);
  return {};
}

}  // namespace runhl::kernel
