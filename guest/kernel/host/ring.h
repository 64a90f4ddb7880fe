// SPDX-License-Identifier: Apache-2.0
// The submission and completion queues below HostRequest (host/host_call.h).
#pragma once

#include <cstdint>
#include <span>

#include "runhl/abi/ring.h"

namespace runhl::kernel {

/// Posts one entry on this vCPU's ring and rings the doorbell if the monitor sleeps.
void ring_submit(const abi::RingEntry& entry);

/// Takes completions of this vCPU's ring and wakes who waits for them.
void ring_take_completions();

/// An entry without completion whose payload is `bytes` (BootDone with a message, Panic). Takes a
/// bounce buffer for good. False: there was none.
bool ring_post_bytes(abi::RingOp op, std::uint64_t value, std::span<const std::byte> bytes);

}  // namespace runhl::kernel
