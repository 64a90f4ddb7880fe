// SPDX-License-Identifier: Apache-2.0
// What calls that wait take besides descriptors: time-outs, and a signal mask for meanwhile.
#pragma once

#include <cstdint>

#include "core/result.h"
#include "core/user_memory.h"
#include "sched/wait.h"

namespace runhl::kernel {

/// EINVAL for times that are none.
Result<Nanoseconds> deadline_in(std::int64_t seconds, std::int64_t nanoseconds);
/// A null address: kNoDeadline.
Result<Nanoseconds> deadline_from_timespec(UserAddress from);
/// Negative: kNoDeadline.
Nanoseconds deadline_in_milliseconds(int timeout);

/// The mask of ppoll, pselect6 and epoll_pwait holds while they wait. A signal that ends the wait
/// is delivered under it, and delivery then puts the old one back.
class TemporaryMask {
 public:
  TemporaryMask() = default;
  TemporaryMask(const TemporaryMask&) = delete;
  TemporaryMask& operator=(const TemporaryMask&) = delete;
  ~TemporaryMask();
  /// Nothing with a null address. EINVAL: `size` is not that of a mask.
  Result<void> set(UserAddress mask, std::uint64_t size);
};

}  // namespace runhl::kernel
