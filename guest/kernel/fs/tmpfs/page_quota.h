// SPDX-License-Identifier: Apache-2.0
// How many bytes of kernel memory the files of one file system may hold.
#pragma once

#include <atomic>
#include <cstdint>

#include "runhl/core/units.h"

namespace runhl::kernel {

class PageQuota {
 public:
  explicit PageQuota(std::uint64_t limit) : limit_(align_up(limit, kPageSize)) {}

  [[nodiscard]] bool charge(std::uint64_t pages) {
    const std::uint64_t bytes = pages * kPageSize;
    if (used_.fetch_add(bytes, std::memory_order_relaxed) + bytes > limit_) {
      release(pages);
      return false;
    }
    return true;
  }
  void release(std::uint64_t pages) {
    used_.fetch_sub(pages * kPageSize, std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t limit() const { return limit_; }
  [[nodiscard]] std::uint64_t used() const { return used_.load(std::memory_order_relaxed); }

 private:
  const std::uint64_t limit_;
  std::atomic<std::uint64_t> used_{0};
};

}  // namespace runhl::kernel
