// SPDX-License-Identifier: Apache-2.0
// What a task holds, for the rank checks of debug builds and the "no sleep under a spinlock" check
// of all builds.
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
  bool push(const void* lock, LockRank rank, LockKind kind);
  bool pop(const void* lock);

  [[nodiscard]] bool empty() const { return count_ == 0; }
  [[nodiscard]] bool holds_spinlock() const { return spin_count_ != 0; }

 private:
  struct Held {
    const void* lock;
    LockRank rank;
    LockKind kind;
  };
  static constexpr std::uint32_t kMax = 12;
  std::array<Held, kMax> held_{};
  std::uint32_t count_ = 0;
  std::uint32_t spin_count_ = 0;
};

}  // namespace runhl::kernel
