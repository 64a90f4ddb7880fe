// SPDX-License-Identifier: Apache-2.0
// Memory of the container as a whole.
#pragma once

#include <cstdint>

namespace runhl::kernel {

struct MemoryInfo {  // bytes
  std::uint64_t total = 0;
  std::uint64_t free = 0;
  std::uint64_t shared = 0;  // tmpfs and the kernel's own
};

/// total is the container's limit, or what the kernel may use where none is set.
MemoryInfo memory_info();

}  // namespace runhl::kernel
