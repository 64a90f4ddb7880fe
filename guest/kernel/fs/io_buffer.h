// SPDX-License-Identifier: Apache-2.0
// The memory side of a read or write: a program's buffers, or the kernel's own. Bytes move in order
// and the buffer remembers how far it is.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>

#include "core/result.h"
#include "core/user_memory.h"

namespace runhl::kernel {

class IoBuffer {
 public:
  explicit IoBuffer(UserSpan user) : single_(user), remaining_(user.size) {}
  /// `segments` must outlive the buffer.
  explicit IoBuffer(std::span<const UserSpan> segments);
  explicit IoBuffer(std::span<std::byte> kernel) : kernel_(kernel), remaining_(kernel.size()) {}
  IoBuffer(const IoBuffer&) = delete;
  IoBuffer& operator=(const IoBuffer&) = delete;
  ~IoBuffer() = default;

  [[nodiscard]] std::size_t remaining() const { return remaining_; }
  [[nodiscard]] bool full() const { return remaining_ == 0; }
  /// A program's: a fault on either side of a copy is survived.
  [[nodiscard]] bool is_user() const { return kernel_.empty(); }
  /// No more than `size` bytes are to be moved from now on.
  void shorten(std::uint64_t size) { remaining_ = std::min<std::uint64_t>(remaining_, size); }

  /// Into the buffer (the file is read). Fewer than asked where the buffer ends or faults; EFAULT
  /// only if nothing could be moved.
  Result<std::size_t> put(const void* from, std::size_t size);
  Result<std::size_t> put_zeros(std::size_t size);
  /// Out of the buffer (the file is written).
  Result<std::size_t> take(void* to, std::size_t size);
  /// Of a program's bytes that take() stopped before: they can be taken after all.
  [[nodiscard]] bool can_take_more() const;
  /// What is left of the segment that comes next: some files take one as one write.
  [[nodiscard]] std::size_t segment_remaining() const;
  /// Gives back the last `size` bytes that take() moved: the file did not accept them.
  void untake(std::size_t size);

 private:
  enum class Direction : std::uint8_t { Put, Zero, Take };
  Result<std::size_t> move(std::byte* kernel_side, std::size_t size, Direction direction);
  std::size_t move_user(std::byte* kernel_side, std::size_t size, Direction direction);

  std::span<const UserSpan> segments_;
  UserSpan single_{};
  std::span<std::byte> kernel_;
  std::size_t segment_ = 0;  // index into segments_
  std::size_t at_ = 0;       // within the segment, the single span or kernel_
  std::size_t remaining_ = 0;
};

}  // namespace runhl::kernel
