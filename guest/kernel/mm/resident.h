// SPDX-License-Identifier: Apache-2.0
// What of a mapping is in memory. The host pages, so the host is asked, and it tells a cell of its
// own memory alone: exact for anonymous memory; of a host file's pages, which are not the cell's to
// know, it says that all are there.
#pragma once

#include <cstdint>

#include "runhl/abi/layout.h"

namespace runhl::kernel {

struct MemoryInUse {  // bytes
  std::uint64_t anonymous = 0, file = 0, shared = 0;

  [[nodiscard]] std::uint64_t sum() const { return anonymous + file + shared; }
};

/// Bytes of [start, end), of the running cell's memory, that are in memory; 0 where nothing is
/// mapped (any more).
std::uint64_t bytes_in_memory(std::uint64_t start, std::uint64_t end);

}  // namespace runhl::kernel
