// SPDX-License-Identifier: Apache-2.0
#include "mm/resident.h"

#include <algorithm>
#include <array>
#include <span>

#include "mm/aspace.h"
#include "runhl/core/units.h"

namespace runhl::kernel {

std::uint64_t bytes_in_memory(std::uint64_t start, std::uint64_t end) {
  // Of more, which is a reservation, the rest is taken for untouched: looking costs a microsecond
  // per 4 MiB even where nothing is.
  constexpr std::uint64_t kMost = 64 * kGiB;
  std::array<std::byte, 1024> pages;  // on the stack, which is small
  std::uint64_t count = 0;
  for (std::uint64_t at = start; at < std::min(end, start + kMost);) {
    const std::uint64_t left = (end - at) / kPageSize;
    const auto part = std::span(pages).first(std::min<std::uint64_t>(left, pages.size()));
    if (aspace::resident(at, part)) {
      count +=
          static_cast<std::uint64_t>(std::count_if(part.begin(), part.end(), [](std::byte page) {
            return (page & std::byte{1}) != std::byte{0};
          }));
    }
    at += part.size() * kPageSize;
  }
  return count * kPageSize;
}

}  // namespace runhl::kernel
