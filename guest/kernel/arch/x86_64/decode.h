// SPDX-License-Identifier: Apache-2.0
// How long an x86-64 instruction is, and whether it would mean the same elsewhere. Knows the
// general, x87, SSE, VEX and EVEX encodings; nothing of what an instruction does beyond leaving its
// place. Pure.
#pragma once

#include <cstdint>
#include <span>

namespace runhl::kernel {

struct Instruction {
  std::uint8_t length = 0;  // 0: invalid in 64-bit mode, unknown, or cut off
  bool transfers = false;   // may leave: branches, calls, returns, traps, system calls
  bool rip_relative = false;
  bool fixed_address = false;     // means an address in a way that cannot be moved
  std::uint8_t operand_at = 0;    // of the displacement (rip_relative) or of the branch's distance
  std::uint8_t operand_size = 0;  // bytes there: 4, or 1 or 4 of a branch; 0: none
};

/// The instruction at the start of `bytes`.
Instruction decode(std::span<const std::uint8_t> bytes);

}  // namespace runhl::kernel
