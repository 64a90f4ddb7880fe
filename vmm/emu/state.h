// SPDX-License-Identifier: Apache-2.0
// A CPU's state in the words of the seam and in those of the page that runhl-emu reads and writes.
#pragma once

#include "runhl/base/result.h"
#include "runhl/emu/protocol.h"
#include "runhl/vmm/cpu_state.h"

namespace runhl::vmm::emu {

/// InvalidArgument: what the software CPU cannot be: not in 64-bit mode and ring 0, or with AVX.
Result<runhl_emu_state> to_page(const CpuState& state);

/// All but general and control registers. Any bytes make some state: none is trusted.
CpuState from_page(const runhl_emu_state& state);

}  // namespace runhl::vmm::emu
