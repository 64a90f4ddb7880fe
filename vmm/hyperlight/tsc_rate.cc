// SPDX-License-Identifier: Apache-2.0
#include "runhl/vmm/hyperlight/tsc_rate.h"

#include <x86intrin.h>

#include <ctime>

namespace runhl::vmm::hyperlight {
namespace {

constexpr std::uint64_t kNanoseconds = 1'000'000'000;
constexpr int kTries = 5;

struct Sample {
  std::uint64_t ns = 0, ticks = 0, width = ~0ULL;
};

/// Of several readings the one with the least time between its two counters.
Sample sample() {
  Sample best;
  for (int i = 0; i < kTries; ++i) {
    timespec now{};
    const std::uint64_t before = __rdtsc();
    (void)::clock_gettime(CLOCK_MONOTONIC_RAW, &now);
    const std::uint64_t width = __rdtsc() - before;
    if (width < best.width) {
      best = {static_cast<std::uint64_t>(now.tv_sec) * kNanoseconds +
                  static_cast<std::uint64_t>(now.tv_nsec),
              before + width / 2, width};
    }
  }
  return best;
}

}  // namespace

std::uint64_t measure_tsc_hz(std::chrono::nanoseconds during) {
  const Sample first = sample();
  const timespec pause{0, static_cast<long>(during.count())};
  (void)::clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, nullptr);
  const Sample second = sample();
  const auto seconds = static_cast<double>(second.ns - first.ns) / kNanoseconds;
  return static_cast<std::uint64_t>(static_cast<double>(second.ticks - first.ticks) / seconds);
}

}  // namespace runhl::vmm::hyperlight
