// SPDX-License-Identifier: Apache-2.0
// Where the parts of a new program lie: randomised as Linux does it on x86-64.
#pragma once

#include <cstdint>

#include "core/user_memory.h"

namespace runhl::kernel {

struct UserLayout {
  UserAddress stack_top = 0;
  UserAddress mmap_top = 0;  // mappings are placed below it, downwards
  UserAddress pie_base = 0;
  std::uint64_t brk_gap = 0;       // between the end of the program's data and the heap
  std::uint64_t stack_jitter = 0;  // bytes below stack_top, < 8 KiB, a multiple of 16
};

/// A fresh layout; the same fixed one every time when `randomise` is false.
UserLayout make_user_layout(bool randomise);

}  // namespace runhl::kernel
