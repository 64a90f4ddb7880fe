// SPDX-License-Identifier: Apache-2.0
// Where everything lies, for one kernel and one size: the map of abi/hyperlight.h in numbers.
#pragma once

#include <cstdint>

#include "hyperlight/elf_image.h"
#include "runhl/abi/hyperlight.h"
#include "runhl/vmm/hyperlight/guest.h"

namespace runhl::vmm::hyperlight {

struct Layout {
  Generation generation = Generation::G3;

  // The image part: guest-physical addresses, virtual ones as said.
  std::uint64_t code_virtual = 0;
  std::uint64_t code_size = 0;  ///< in memory; whole pages, as all sizes here
  std::uint64_t base = 0;       ///< of the image part
  std::uint64_t peb = 0, heap = 0, init_data = 0;
  std::uint64_t heap_size = 0;       ///< as the guest is told; need not be whole pages
  std::uint64_t init_data_size = 0;  ///< whole pages; 0 but in G1
  std::uint64_t image_size = 0;      ///< from base to the end of the heap, or of init_data
  std::uint64_t entry = 0;
  std::uint64_t initrd = 0;  ///< physical, where an archive is

  // Scratch, and offsets from its first byte.
  std::uint64_t scratch_size = 0;
  std::uint64_t input_stack = 0, output_stack = 0, stack_size = 0;                    // G1, G2
  std::uint64_t g2h_ring = 0, h2g_ring = 0, mailbox = 0, g2h_pool = 0, h2g_pool = 0;  // G3
  std::uint64_t page_tables = 0;

  [[nodiscard]] std::uint64_t scratch_physical() const {
    return abi::hyperlight::kPhysicalTop - scratch_size;
  }
  [[nodiscard]] std::uint64_t scratch_virtual() const {
    return abi::hyperlight::kVirtualTop - scratch_size;
  }
  [[nodiscard]] std::uint64_t exception_stack() const {
    return generation == Generation::G3 ? abi::hyperlight::kExceptionStackG3
                                        : abi::hyperlight::kExceptionStackG2;
  }
};

/// `memory_size`: the guest's, which is its scratch; in G1 its heap, to which scratch is added as
/// upstream's host does. `init_data_size`, `stack_size`: bytes, of G1 alone.
/// InvalidArgument: a size is too small or too large.
Result<Layout> make_layout(Generation generation, const ElfImage& image, std::uint64_t memory_size,
                           std::uint64_t init_data_size = 0,
                           std::uint64_t stack_size = abi::hyperlight::kStackBufferSizeG1);

}  // namespace runhl::vmm::hyperlight
