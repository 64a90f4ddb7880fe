// SPDX-License-Identifier: Apache-2.0
// An upstream kernel's file, taken apart: every number in it is checked before it is used.
//
//   const ElfImage image = TRY(parse_elf(file));
//   image.copy_to(memory);   // image.size bytes, zero where the file has none
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "runhl/base/result.h"

namespace runhl::vmm::hyperlight {

struct ElfImage {
  struct Segment {
    std::uint64_t offset = 0;  ///< in the image
    std::span<const std::byte> bytes;
    bool is_text = false;  ///< to be executed, and not to be written
  };
  std::uint64_t address = 0;  ///< virtual, of the image's first byte; a page boundary
  std::uint64_t size = 0;     ///< from there to the end of the last segment
  std::uint64_t entry = 0;    ///< virtual
  bool relocatable = false;   ///< linked to no address: it runs where it is loaded
  std::vector<Segment> segments;

  void copy_to(std::span<std::byte> memory) const;
};

/// The result refers to `file`. InvalidArgument, Unsupported: one line about what is wrong with it.
Result<ElfImage> parse_elf(std::span<const std::byte> file);

}  // namespace runhl::vmm::hyperlight
