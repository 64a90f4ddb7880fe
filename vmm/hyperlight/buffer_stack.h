// SPDX-License-Identifier: Apache-2.0
// G2's channel: one stack of messages a direction, in memory that the guest can write.
//
//   +0   u64 sp           8 when it is empty
//   +8   message, size-prefixed; then the u64 offset of its first byte; then the next message …
//   +sp  free
#pragma once

#include <cstdint>
#include <span>

#include "hyperlight/codec.h"
#include "hyperlight/guest_memory.h"
#include "runhl/base/result.h"

namespace runhl::vmm::hyperlight {

class BufferStack {
 public:
  /// `at`: offset in scratch.
  BufferStack(Scratch scratch, std::uint64_t at, std::uint64_t size)
      : scratch_(scratch), at_(at), size_(size) {}

  /// Io: no room. GuestFault: the guest broke the stack.
  Result<void> push(std::span<const std::byte> message);
  Result<Bytes> pop();
  void clear();

 private:
  [[nodiscard]] std::uint64_t stack_pointer() const { return scratch_.load<std::uint64_t>(at_); }

  Scratch scratch_;
  std::uint64_t at_, size_;
};

}  // namespace runhl::vmm::hyperlight
