// SPDX-License-Identifier: Apache-2.0
// What a G1 guest's memory says of its boot, when it goes on from a snapshot: the file of one names
// neither kernel nor archive, and has no place for the CPU's counter. Read from the memory as the
// guest has it mapped, which is hostile.
#pragma once

#include <cstdint>
#include <span>

#include "hyperlight/elf_image.h"
#include "hyperlight/layout.h"
#include "hyperlight/mapped_pages.h"
#include "runhl/base/result.h"
#include "runhl/vmm/hyperlight/guest.h"

namespace runhl::vmm::hyperlight {

struct RestoredMemory {
  std::span<const PhysicalRange> ranges;
  std::uint64_t tables = 0;  ///< physical
};

/// InvalidArgument: where the kernel's text lies is something else; the guest booted with an
/// archive of another size than the spec's.
Result<void> check_boot_of(const RestoredMemory& memory, const Layout& layout,
                           const ElfImage& image, const GuestSpec& spec);

/// The counter of a CPU that began with the guest and never stood still, at that time: kernels of
/// G1 take a tick for 0.4 ns and count their wall clock from there. 0: the guest was told no time,
/// or one to come.
std::uint64_t counter_since_boot(const RestoredMemory& memory, const Layout& layout,
                                 std::uint64_t now_ns);

}  // namespace runhl::vmm::hyperlight
