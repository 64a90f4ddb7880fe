// SPDX-License-Identifier: Apache-2.0
// The bytes of a file in the initrd, mapped read-only. Of a file that is larger than one archive
// entry can hold, the parts lie at a fixed distance (docs/initrd-format.md).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace runhl::kernel {

struct LowerBytes {
  const std::byte* start = nullptr;
  std::uint64_t size = 0;
  std::uint64_t part_size = ~std::uint64_t{0};  // bytes of every part but the last
  std::uint64_t part_distance = 0;              // from a part's first byte to the next one's

  struct Piece {
    const std::byte* at;
    std::uint64_t length;
  };
  /// What lies at `offset` in one piece; `offset` < size.
  [[nodiscard]] Piece at(std::uint64_t offset) const {
    const std::uint64_t part = offset / part_size;
    const std::uint64_t within = offset % part_size;
    return {.at = start + part * part_distance + within,
            .length = std::min(size - offset, part_size - within)};
  }
};

}  // namespace runhl::kernel
