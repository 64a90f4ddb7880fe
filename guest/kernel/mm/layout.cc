// SPDX-License-Identifier: Apache-2.0
#include "mm/layout.h"

#include "core/random.h"
#include "runhl/abi/layout.h"

namespace runhl::kernel {
namespace {

// Linux x86-64: mmap_rnd_bits = 28, STACK_RND_MASK = 0x3fffff pages, brk within 1 GiB.
constexpr unsigned kMmapRandomBits = 28;
constexpr unsigned kStackRandomBits = 22;
constexpr std::uint64_t kBrkRandomPages = kGiB / kPageSize;

std::uint64_t random_pages(unsigned bits) {
  return (random_u64() >> (64 - bits)) * kPageSize;
}

}  // namespace

UserLayout make_user_layout(bool randomise) {
  UserLayout layout;
  layout.stack_top = abi::kUserStackTop;
  layout.mmap_top = abi::kUserMmapTop;
  layout.pie_base = abi::kUserPieBase;
  if (!randomise) {
    return layout;
  }
  layout.stack_top -= random_pages(kStackRandomBits);
  // Below the lowest possible stack, so that the two ranges never meet.
  layout.mmap_top -= (kPageSize << kStackRandomBits) + random_pages(kMmapRandomBits);
  layout.pie_base += random_pages(kMmapRandomBits);
  layout.brk_gap = random_u64() % kBrkRandomPages * kPageSize;
  layout.stack_jitter = random_u64() % 512 * 16;
  return layout;
}

}  // namespace runhl::kernel
