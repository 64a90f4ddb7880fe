// SPDX-License-Identifier: Apache-2.0
// What the other cells ask of cell 0, their template and reaper.
#pragma once

#include <cstdint>

namespace runhl::kernel {

/// A clone of cell 0, which has nothing but the window, on the idle stack of carrier slot `slot`:
/// its pid, or -errno. Takes as long as the host's clone.
std::int64_t cell0_spawn(std::uint32_t slot, void (*entry)());

/// Makes cell 0 look at everything that it serves.
void cell0_wake();
/// Gives cell 0 the time to reap what has ended.
void cell0_reap_now();

}  // namespace runhl::kernel
