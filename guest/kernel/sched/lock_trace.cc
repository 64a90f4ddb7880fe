// SPDX-License-Identifier: Apache-2.0
#include "sched/lock_trace.h"

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

bool LockTrace::push(const void* lock, LockRank rank, LockKind kind) {
  if (count_ == kMax) {
    return false;
  }
  held_[count_++] = {lock, rank, kind};
  spin_count_ += kind == LockKind::Spin ? 1U : 0U;
  return true;
}

bool LockTrace::pop(const void* lock) {
  for (std::uint32_t i = count_; i-- > 0;) {
    if (held_[i].lock != lock) {
      continue;
    }
    spin_count_ -= held_[i].kind == LockKind::Spin ? 1U : 0U;
    for (std::uint32_t next = i + 1; next < count_; ++next) {
      held_[next - 1] = held_[next];
    }
    --count_;
    return true;
  }
  return false;
}

}  // namespace runhl::kernel
