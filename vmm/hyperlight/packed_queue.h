// SPDX-License-Identifier: Apache-2.0
// The host's end of one G3 queue: takes chains of descriptors that the guest made available, gives
// them back as used. Virtio's packed ring, without indirect tables and event suppression.
//
//   guest (driver)                     ring                     host (device)
//   fills buffers, writes descriptors ─► AVAIL = w, USED = ¬w
//                                                    take() ─►  copies the chain, checks it
//                                                               reads, writes buffers
//   sees a used descriptor            ◄─ AVAIL = USED = w   ◄─ complete()
//
// w, the wrap counter, is 1 in the first round and flips each time a cursor passes the end. One
// chain at a time: the used descriptor lies where the chain began.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "hyperlight/codec.h"
#include "hyperlight/guest_memory.h"
#include "runhl/base/result.h"

namespace runhl::vmm::hyperlight {

struct QueuePlace {
  std::uint64_t ring = 0;  ///< offsets in scratch
  std::uint32_t count = 0;
  std::uint64_t pool = 0, pool_size = 0;  ///< no buffer lies elsewhere
};

/// Copied and checked; offsets in scratch.
struct Chain {
  struct Buffer {
    std::uint64_t offset = 0;
    std::uint32_t size = 0;
  };
  std::uint16_t id = 0;
  std::uint32_t descriptors = 0;
  std::vector<Buffer> readable, writable;

  [[nodiscard]] std::uint64_t readable_size() const;
  [[nodiscard]] std::uint64_t writable_size() const;
};

class PackedQueue {
 public:
  PackedQueue(Scratch scratch, const QueuePlace& place) : scratch_(scratch), place_(place) {}

  /// The next chain, if there is one; it is to be completed before the next call. GuestFault: the
  /// guest broke the rules of the ring.
  Result<std::optional<Chain>> take();
  /// Gives it back, with the first `written` bytes of its writable part written.
  void complete(const Chain& chain, std::uint64_t written);

  // Of a chain's buffers, one after the other.
  [[nodiscard]] Bytes read(const Chain& chain) const;
  void write(const Chain& chain, std::span<const std::byte> bytes);

  /// Back to the ring's beginning, as the guest has done on its side.
  void reset();

 private:
  [[nodiscard]] std::uint64_t descriptor_at(std::uint32_t index) const {
    return place_.ring + index * sizeof(abi::hyperlight::Descriptor);
  }
  [[nodiscard]] bool available(std::uint16_t flags) const;
  Result<void> add(const abi::hyperlight::Descriptor& descriptor, Chain* chain) const;

  Scratch scratch_;
  QueuePlace place_;
  std::uint32_t position_ = 0;
  bool wrap_ = true;
};

}  // namespace runhl::vmm::hyperlight
