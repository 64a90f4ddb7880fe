// SPDX-License-Identifier: Apache-2.0
// Instructions that may fault on a program's memory, and where they go on (usercopy.S).
#pragma once

#include <cstdint>

namespace runhl::kernel {

/// The fixup for a fault at `rip`, or 0.
std::uint64_t find_fault_fixup(std::uint64_t rip);

}  // namespace runhl::kernel
