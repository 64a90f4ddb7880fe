// SPDX-License-Identifier: Apache-2.0
#include "fs/io_buffer.h"

#include <cstring>

#include "runhl/core/units.h"

namespace runhl::kernel {
namespace {

/// Up to the page that faults.
std::size_t clear_user_partial(UserAddress to, std::size_t size) {
  if (clear_user(to, size)) {
    return size;
  }
  std::size_t done = 0;
  while (done < size) {
    const std::size_t part = std::min(size - done, kPageSize - (to + done) % kPageSize);
    if (!clear_user(to + done, part)) {
      break;
    }
    done += part;
  }
  return done;
}

}  // namespace

IoBuffer::IoBuffer(std::span<const UserSpan> segments) : segments_(segments) {
  for (const UserSpan& segment : segments) {
    remaining_ += segment.size;
  }
}

Result<std::size_t> IoBuffer::put(const void* from, std::size_t size) {
  // SAFETY: Direction::Put only reads through the pointer.
  return move(static_cast<std::byte*>(const_cast<void*>(from)), size, Direction::Put);
}

Result<std::size_t> IoBuffer::put_zeros(std::size_t size) {
  return move(nullptr, size, Direction::Zero);
}

Result<std::size_t> IoBuffer::take(void* to, std::size_t size) {
  return move(static_cast<std::byte*>(to), size, Direction::Take);
}

Result<std::size_t> IoBuffer::move(std::byte* kernel_side, std::size_t size, Direction direction) {
  size = std::min(size, remaining_);
  std::size_t done = 0;
  while (done < size) {
    std::byte* const side = kernel_side == nullptr ? nullptr : kernel_side + done;
    const std::size_t step = move_user(side, size - done, direction);
    if (step == 0) {
      break;
    }
    done += step;
    remaining_ -= step;
  }
  if (done == 0 && size != 0) {
    return fail(EFAULT);
  }
  return done;
}

/// Moves bytes of one segment; 0 on a fault.
std::size_t IoBuffer::move_user(std::byte* kernel_side, std::size_t size, Direction direction) {
  if (!kernel_.empty()) {
    std::byte* const own = kernel_.data() + at_;
    switch (direction) {
      case Direction::Put:
        std::memcpy(own, kernel_side, size);
        break;
      case Direction::Zero:
        std::memset(own, 0, size);
        break;
      case Direction::Take:
        std::memcpy(kernel_side, own, size);
        break;
    }
    at_ += size;
    return size;
  }
  while (!segments_.empty() && at_ == segments_[segment_].size) {
    ++segment_;
    at_ = 0;
  }
  const UserSpan span = segments_.empty() ? single_ : segments_[segment_];
  const std::size_t part = std::min(size, span.size - at_);
  std::size_t done = 0;
  switch (direction) {
    case Direction::Put:
      done = copy_to_user_partial(span.address + at_, kernel_side, part);
      break;
    case Direction::Zero:
      done = clear_user_partial(span.address + at_, part);
      break;
    case Direction::Take:
      done = copy_from_user_partial(kernel_side, span.address + at_, part);
      break;
  }
  at_ += done;
  return done;
}

std::size_t IoBuffer::segment_remaining() const {
  std::size_t segment = segment_;
  std::size_t at = at_;
  while (segment + 1 < segments_.size() && at == segments_[segment].size) {
    ++segment;
    at = 0;
  }
  return segments_.empty() ? remaining_ : std::min(remaining_, segments_[segment].size - at);
}

bool IoBuffer::can_take_more() const {
  if (!is_user() || remaining_ == 0) {
    return false;
  }
  std::size_t segment = segment_;
  std::size_t at = at_;
  while (!segments_.empty() && at == segments_[segment].size) {
    ++segment;
    at = 0;
  }
  const UserSpan span = segments_.empty() ? single_ : segments_[segment];
  std::byte next{};
  return copy_from_user_partial(&next, span.address + at, 1) == 1;
}

void IoBuffer::untake(std::size_t size) {
  remaining_ += size;
  while (size > at_) {
    size -= at_;
    --segment_;
    at_ = segments_[segment_].size;
  }
  at_ -= size;
}

}  // namespace runhl::kernel
