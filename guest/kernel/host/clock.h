// SPDX-License-Identifier: Apache-2.0
// Host clocks, read through the host's vdso, which the launcher moved into the window: no exit.
#pragma once

#include <linux/time_types.h>

#include <cstdint>

#include "core/result.h"
#include "sched/wait.h"

namespace runhl::kernel {

/// Finds the vdso's functions. ENOSYS: no vdso, or one that cannot read clocks in user mode.
Result<void> clock_init();

/// Any clock that the vdso serves (REALTIME, MONOTONIC, the coarse ones, BOOTTIME, TAI).
Result<__kernel_timespec> clock_read(int clock);
Nanoseconds realtime_now();
/// When the kernel began, on CLOCK_MONOTONIC.
Nanoseconds boot_time();

inline constexpr Nanoseconds kNanosPerSecond = 1'000'000'000;
constexpr Nanoseconds to_nanoseconds(const __kernel_timespec& time) {
  return static_cast<Nanoseconds>(time.tv_sec) * kNanosPerSecond + time.tv_nsec;
}
constexpr __kernel_timespec to_timespec(Nanoseconds value) {
  return {value / kNanosPerSecond, value % kNanosPerSecond};
}

}  // namespace runhl::kernel
