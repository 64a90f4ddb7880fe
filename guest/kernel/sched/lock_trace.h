// SPDX-License-Identifier: Apache-2.0
// What a task holds: which locks, for the rank checks of debug builds; how many, for the "no sleep
// under a spinlock" check of all builds and for what a killed cell leaves behind.
#pragma once

#include <array>
#include <cstdint>

#include "sched/locks.h"

namespace runhl::kernel {

enum class LockKind : std::uint8_t { Spin, Sleeping };

class LockTrace {
 public:
  /// Null, or why this lock must not be taken now.
  [[nodiscard]] const char* check(const void* lock, LockRank rank) const;
  /// False: not recorded, the table is full.
  bool push([[maybe_unused]] const void* lock, [[maybe_unused]] LockRank rank, LockKind kind) {
#ifdef KERNEL_DEBUG
    if (count_ == kMax) {
      return false;
    }
    held_[count_] = {lock, rank};
#endif
    ++count_;
    spin_count_ += kind == LockKind::Spin ? 1U : 0U;
    return true;
  }
  /// False: it is not held.
  bool pop([[maybe_unused]] const void* lock, LockKind kind) {
#ifdef KERNEL_DEBUG
    if (!remove(lock)) {
      return false;
    }
#endif
    --count_;
    spin_count_ -= kind == LockKind::Spin ? 1U : 0U;
    return true;
  }

  [[nodiscard]] bool empty() const { return count_ == 0; }
  [[nodiscard]] bool holds_spinlock() const { return spin_count_ != 0; }

 private:
#ifdef KERNEL_DEBUG
  struct Held {
    const void* lock;
    LockRank rank;
  };
  static constexpr std::uint32_t kMax = 12;

  bool remove(const void* lock);

  std::array<Held, kMax> held_{};
#endif
  std::uint32_t count_ = 0;
  std::uint32_t spin_count_ = 0;
};

}  // namespace runhl::kernel
