// SPDX-License-Identifier: Apache-2.0
// Which carrier slots are in use, and by which host process: cell 0 learns of a death by number and
// looks the slot up here. It takes no lock, so this is all atomics.
//
//   slot_take ──► clone ──► slot_publish(pid) ──► ... ──► cell 0 reaps pid: slot_of, slot_give
#pragma once

#include <cstdint>

#include "core/result.h"

namespace runhl::kernel {

inline constexpr std::uint32_t kNoCarrierSlot = ~0U;

/// A free slot, the lowest one, since its memory is there already. EAGAIN: none.
Result<std::uint32_t> slot_take();
void slot_give(std::uint32_t index);

/// The slot's host process. False: it has ended and was reaped already; then the slot is free.
bool slot_publish(std::uint32_t index, std::int32_t pid);
/// The slot of a process that was reaped, or kNoCarrierSlot: not published yet, which is then told
/// to the one who does.
std::uint32_t slot_of_reaped(std::int32_t pid);

/// No slot from this one on was ever used.
std::uint32_t slots_high_water();

}  // namespace runhl::kernel
