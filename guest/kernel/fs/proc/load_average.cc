// SPDX-License-Identifier: Apache-2.0
#include "fs/proc/load_average.h"

#include <x86intrin.h>

#include <algorithm>

#include "host/clock.h"
#include "sched/locks.h"
#include "sched/scheduler.h"

namespace runhl::kernel {
namespace {

// Linux include/linux/sched/loadavg.h: fixed point of 11 bits, and what is left of an average after
// five seconds.
constexpr std::uint64_t kOne = 1U << 11;
constexpr Nanoseconds kInterval = 5 * kNanosPerSecond;
constexpr std::array<std::uint64_t, 3> kDecay{1884, 2014, 2037};

struct LoadState {
  SpinLock lock{LockRank::Timers};
  Nanoseconds looked = 0;
  Nanoseconds idle = 0;
  std::array<std::uint64_t, 3> averages{};
};
constinit LoadState g_load;

struct CpuClock {
  std::uint64_t counter = 0;
  Nanoseconds time = 0;
};
constinit CpuClock g_cpu_clock;

std::uint64_t power(std::uint64_t factor, std::uint64_t exponent) {
  std::uint64_t result = kOne;
  for (; exponent != 0; exponent >>= 1) {
    if ((exponent & 1) != 0) {
      result = result * factor / kOne;
    }
    factor = factor * factor / kOne;
  }
  return result;
}

}  // namespace

Nanoseconds vcpu_idle_time(std::uint32_t id) {
  const Vcpu& cpu = vcpu(id);
  const Nanoseconds since = cpu.idle_since.load(std::memory_order_relaxed);
  const Nanoseconds spell = since != 0 ? std::max<Nanoseconds>(monotonic_now() - since, 0) : 0;
  return cpu.idle_time.load(std::memory_order_relaxed) + spell;
}

Nanoseconds idle_time() {
  Nanoseconds sum = 0;
  for (std::uint32_t i = 0; i < vcpu_count(); ++i) {
    sum += vcpu_idle_time(i);
  }
  return sum;
}

LoadAverages load_averages() {
  const Nanoseconds now = monotonic_now() - boot_time();
  const Nanoseconds idle = idle_time();
  LoadAverages result;
  const SpinLock::Guard guard(g_load.lock);
  const Nanoseconds passed = now - g_load.looked;
  if (passed >= kInterval) {
    const Nanoseconds busy = std::max<Nanoseconds>(passed * vcpu_count() - (idle - g_load.idle), 0);
    const std::uint64_t active =
        static_cast<std::uint64_t>(busy) * kOne / static_cast<std::uint64_t>(passed);
    const auto intervals = static_cast<std::uint64_t>(passed / kInterval);
    for (std::size_t i = 0; i < kDecay.size(); ++i) {
      const std::uint64_t left = power(kDecay[i], intervals);
      g_load.averages[i] = (g_load.averages[i] * left + active * (kOne - left)) / kOne;
    }
    g_load.looked = now;
    g_load.idle = idle;
  }
  for (std::size_t i = 0; i < kDecay.size(); ++i) {
    result.hundredths[i] = static_cast<std::uint32_t>(g_load.averages[i] * 100 / kOne);
  }
  return result;
}

void cpu_clock_init() {
  g_cpu_clock = {.counter = __rdtsc(), .time = monotonic_now()};
}

std::uint64_t cpu_khz() {
  constexpr Nanoseconds kNanosPerMillisecond = 1'000'000;
  Nanoseconds passed = monotonic_now() - g_cpu_clock.time;
  if (passed < kNanosPerMillisecond) {
    return 0;
  }
  std::uint64_t counted = __rdtsc() - g_cpu_clock.counter;
  while (counted >> 50 != 0) {  // the product below shall fit
    counted >>= 1;
    passed >>= 1;
  }
  return counted * 1000 / (static_cast<std::uint64_t>(passed) / 1000);
}

}  // namespace runhl::kernel
