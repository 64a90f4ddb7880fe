// SPDX-License-Identifier: Apache-2.0
// G1: what a kernel boots with, in the block that abi/hyperlight.h draws. Upstream's host writes
// the archive's size over the end of a block that just fills its page; here it gets a page more.
#pragma once

#include <cstdint>

#include "hyperlight/codec.h"
#include "runhl/vmm/hyperlight/guest.h"

namespace runhl::vmm::hyperlight {

/// Whole pages; 0: this guest gets none.
std::uint64_t init_data_size(Generation generation, const GuestSpec& spec);
/// As many bytes as that says. `wall_clock_ns`: since 1970.
Bytes make_init_data(const GuestSpec& spec, std::uint64_t wall_clock_ns);

}  // namespace runhl::vmm::hyperlight
