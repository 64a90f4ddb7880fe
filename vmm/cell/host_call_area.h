// SPDX-License-Identifier: Apache-2.0
// The monitor's view of the memory that it shares with the guest (abi/ring.h). Every word here may
// change while it is read: copy first, then check the copy.
#pragma once

#include <cstddef>
#include <cstring>
#include <span>

#include "runhl/abi/ring.h"

namespace runhl::vmm::cell {

class HostCallArea {
 public:
  HostCallArea() = default;
  /// @param bytes kHostCallMappedSize bytes, page-aligned
  explicit HostCallArea(std::span<std::byte> bytes) : base_(bytes.data()) {}

  // SAFETY (all): offsets of the layout, whose size the mapping has; indices are checked by the
  // callers, who get them from the guest.
  [[nodiscard]] abi::HostCallHeader& header() const {
    return *reinterpret_cast<abi::HostCallHeader*>(base_ + abi::kHeaderOffset);
  }
  [[nodiscard]] abi::Ring& ring(std::uint32_t index) const {
    return *reinterpret_cast<abi::Ring*>(base_ + abi::kRingsOffset + index * abi::kRingStride);
  }
  [[nodiscard]] abi::RequestSlot& slot(std::uint32_t index) const {
    return *reinterpret_cast<abi::RequestSlot*>(base_ + abi::kSlotsOffset +
                                                index * sizeof(abi::RequestSlot));
  }
  [[nodiscard]] std::span<std::byte> bounce(std::uint32_t index) const {
    return {base_ + abi::kBounceOffset + index * abi::kBounceSize, abi::kBounceSize};
  }

 private:
  std::byte* base_ = nullptr;
};

/// A private copy of something shared, read once.
template <typename T>
T copy_shared(const T& shared) {
  T copy{};
  std::memcpy(&copy, const_cast<const T*>(&shared), sizeof(T));
  asm volatile("" ::: "memory");  // the compiler may not go back to the original
  return copy;
}

}  // namespace runhl::vmm::cell
