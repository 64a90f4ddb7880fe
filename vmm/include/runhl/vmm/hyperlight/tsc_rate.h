// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>

namespace runhl::vmm::hyperlight {

/// Ticks a second of the host's time stamp counter, which guests read too; true to a few parts in
/// a million. Takes 10 ms.
std::uint64_t measure_tsc_hz(std::chrono::nanoseconds during = std::chrono::milliseconds(10));

}  // namespace runhl::vmm::hyperlight
