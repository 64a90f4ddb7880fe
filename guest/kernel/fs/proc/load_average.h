// SPDX-License-Identifier: Apache-2.0
// How busy the container's CPUs are and were.
#pragma once

#include <array>
#include <cstdint>

#include "sched/wait.h"

namespace runhl::kernel {

/// Of all CPUs since boot.
Nanoseconds idle_time();
/// Of one, a spell that lasts still included.
Nanoseconds vcpu_idle_time(std::uint32_t id);

struct LoadAverages {
  std::array<std::uint32_t, 3> hundredths{};  // over 1, 5 and 15 minutes
};
/// CPUs that were busy on average. Nothing samples while nobody looks: the time since the last look
/// counts as evenly loaded.
LoadAverages load_averages();

/// The time stamp counter's rate, measured since boot; 0: not known yet.
std::uint64_t cpu_khz();
/// At boot.
void cpu_clock_init();

}  // namespace runhl::kernel
