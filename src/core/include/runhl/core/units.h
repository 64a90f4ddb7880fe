// SPDX-License-Identifier: Apache-2.0
// Sizes and alignment, for host and guest alike.
#pragma once

#include <cstddef>
#include <cstdint>

namespace runhl {

inline constexpr std::uint64_t kKiB = 1024;
inline constexpr std::uint64_t kMiB = 1024 * kKiB;
inline constexpr std::uint64_t kGiB = 1024 * kMiB;
inline constexpr std::uint64_t kPageSize = 4096;  // x86-64; the only page size we map with

/// `value` rounded down/up to a multiple of `alignment`, which is a power of two.
/// align_up wraps to a small number at the top of the range: check the input first.
constexpr std::uint64_t align_down(std::uint64_t value, std::uint64_t alignment) {
  return value & ~(alignment - 1);
}
constexpr std::uint64_t align_up(std::uint64_t value, std::uint64_t alignment) {
  return align_down(value + alignment - 1, alignment);
}
constexpr bool is_aligned(std::uint64_t value, std::uint64_t alignment) {
  return align_down(value, alignment) == value;
}

}  // namespace runhl
