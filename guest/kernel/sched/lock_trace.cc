// SPDX-License-Identifier: Apache-2.0
#include "sched/lock_trace.h"

#ifdef KERNEL_DEBUG

namespace runhl::kernel {

const char* LockTrace::check(const void* lock, LockRank rank) const {
  for (std::uint32_t i = 0; i < count_; ++i) {
    const Held& held = held_[i];
    if (held.lock == lock) {
      return "lock taken twice by one task";
    }
    if (held.rank > rank) {
      return "lock taken while one of higher rank is held";
    }
    if (held.rank == rank && held.lock > lock) {
      return "two locks of one rank not taken by address";
    }
  }
  return nullptr;
}

bool LockTrace::remove(const void* lock) {
  std::uint32_t at = count_;
  while (at != 0 && held_[at - 1].lock != lock) {
    --at;
  }
  if (at == 0) {
    return false;
  }
  for (; at < count_; ++at) {
    held_[at - 1] = held_[at];
  }
  return true;
}

}  // namespace runhl::kernel

#endif
