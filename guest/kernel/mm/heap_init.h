// SPDX-License-Identifier: Apache-2.0
// Boot and statistics side of mm/heap.h.
#pragma once

#include <cstdint>

namespace runhl::kernel {

/// `size` bytes of zeroed memory lie at kKernelHeap. Once, before any allocation.
void heap_init(std::uint64_t size);

/// Maps what a boot is going to use into the calling cell: one call instead of 30 page faults.
void heap_populate();
std::uint64_t heap_free_bytes();

}  // namespace runhl::kernel
