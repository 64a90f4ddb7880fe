// SPDX-License-Identifier: Apache-2.0
// Where a backend has memory.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "runhl/base/result.h"
#include "runhl/core/units.h"
#include "runhl/vmm/backend.h"

namespace runhl::vmm {

/// Behind the last guest-physical address: every backend's CPU says 36 bits, as upstream's host.
inline constexpr unsigned kPhysicalBits = 36;
inline constexpr std::uint64_t kPhysicalLimit = 1ULL << kPhysicalBits;

class GuestRanges {
 public:
  /// InvalidArgument: `part` cannot be at `guest_physical`.
  [[nodiscard]] Result<void> check(std::uint64_t guest_physical, const SharedPart& part) const {
    if (!is_aligned(guest_physical | part.offset | part.size, kPageSize) || part.size == 0 ||
        part.size > kPhysicalLimit || guest_physical > kPhysicalLimit - part.size) {
      return fail(ErrorCode::InvalidArgument, "guest memory that is not whole pages below 2^36");
    }
    for (const auto& [first, behind] : ranges_) {
      if (guest_physical < behind && first < guest_physical + part.size) {
        return fail(ErrorCode::InvalidArgument, "guest memory that overlaps other");
      }
    }
    return {};
  }
  void add(std::uint64_t guest_physical, const SharedPart& part) {
    ranges_.emplace_back(guest_physical, guest_physical + part.size);
  }
  [[nodiscard]] std::size_t count() const { return ranges_.size(); }

 private:
  std::vector<std::pair<std::uint64_t, std::uint64_t>> ranges_;  // first and behind the last byte
};

}  // namespace runhl::vmm
