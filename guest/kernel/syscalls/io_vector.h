// SPDX-License-Identifier: Apache-2.0
// The buffers that calls take: addresses checked, vectors copied once.
#pragma once

#include <sys/uio.h>

#include <array>
#include <cstdint>
#include <span>

#include "core/user_memory.h"
#include "mm/heap.h"

namespace runhl::kernel {

inline constexpr std::size_t kMaxTransfer = 0x7fff'f000;  // Linux MAX_RW_COUNT

/// EFAULT: not all of it lies in user space.
Result<UserSpan> user_span(std::uint64_t address, std::uint64_t size);

/// struct iovec[] of readv, sendmsg and their like.
class IoVector {
 public:
  /// EINVAL, or `too_many` beyond IOV_MAX entries.
  static Result<Owned<IoVector>> copy(UserAddress vector, std::uint64_t count,
                                      int too_many = EINVAL);
  [[nodiscard]] std::span<const UserSpan> spans() const { return {spans_.data(), count_}; }

 private:
  std::array<UserSpan, UIO_MAXIOV> spans_;
  std::size_t count_ = 0;
};

}  // namespace runhl::kernel
