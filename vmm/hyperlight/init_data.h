// SPDX-License-Identifier: Apache-2.0
// G1: what a kernel boots with, in the block that abi/hyperlight.h draws. Upstream's host writes
// the archive's size over the end of a block that just fills its page; here the block is longer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "hyperlight/codec.h"
#include "runhl/vmm/hyperlight/guest.h"

namespace runhl::vmm::hyperlight {

/// Whole pages; 0: this guest gets none.
std::uint64_t init_data_size(Generation generation, const GuestSpec& spec);
/// As many bytes as that says. `wall_clock_ns`: since 1970.
Bytes make_init_data(const GuestSpec& spec, std::uint64_t wall_clock_ns);

/// What such a block says of its guest's boot; it is hostile.
struct InitData {
  bool is_block = false;            ///< not: an archive, or nothing
  std::uint64_t wall_clock_ns = 0;  ///< since 1970; 0: not told
  std::uint64_t archive_size = 0;   ///< of the one that is mapped; 0: none, or it stands behind
};
InitData read_init_data(std::span<const std::byte> bytes);

}  // namespace runhl::vmm::hyperlight
