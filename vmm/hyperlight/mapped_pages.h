// SPDX-License-Identifier: Apache-2.0
// What a guest has mapped, read from its page tables: hostile, however often they lead in circles.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "runhl/base/result.h"

namespace runhl::vmm::hyperlight {

/// Guest-physical memory as the host sees it; whole pages, in ascending order.
struct PhysicalRange {
  std::uint64_t at = 0;
  std::span<const std::byte> bytes;
};

/// The page at `address` in one of the ranges; empty where there is none.
std::span<const std::byte> page_at(std::span<const PhysicalRange> memory, std::uint64_t address);

struct MappedPage {
  std::uint64_t address = 0;   ///< virtual
  std::uint64_t physical = 0;  ///< of memory that there is
  bool writable = false;       ///< or copied on write
  bool executable = false;
};

/// In ascending order, large pages in pieces, but for scratch's window and what lies above it.
/// GuestFault: more than `most` pages.
Result<std::vector<MappedPage>> mapped_pages(std::span<const PhysicalRange> memory,
                                             std::uint64_t tables, std::uint64_t scratch_virtual,
                                             std::uint64_t most);

/// What the guest sees at `address`, a virtual one; empty where all of it is not mapped.
std::vector<std::byte> read_mapped(std::span<const PhysicalRange> memory, std::uint64_t tables,
                                   std::uint64_t address, std::uint64_t size);

}  // namespace runhl::vmm::hyperlight
