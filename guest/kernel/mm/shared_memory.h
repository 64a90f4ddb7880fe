// SPDX-License-Identifier: Apache-2.0
// Zeroed kernel memory of a fixed size that several mappings share: MAP_SHARED|MAP_ANONYMOUS,
// System V segments. It lies in the kernel memfd in runs that never move.
//
//   page   0   1   2 3   4..7   8..15   …        run k > 0 has 2^(k-1) pages, up to kLargestRun,
//   run    0   1    2      3      4              after which all runs are that long
//
// A run is reserved when one of its pages is first mapped; the host gives memory page by page, so
// what is never touched costs nothing.
#pragma once

#include <boost/intrusive/set.hpp>
#include <cstdint>

#include "mm/map_object.h"
#include "mm/ref.h"
#include "sched/locks.h"

namespace runhl::kernel {

class SharedMemory final : public MapObject {
 public:
  static Result<Ref<SharedMemory>> create(std::uint64_t size_bytes);
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;
  ~SharedMemory() override;

  [[nodiscard]] std::uint64_t size() const { return size_; }
  Result<aspace::Backing> backing(std::uint64_t offset, std::uint64_t length, MapUse use) override;
  Result<void> remove_range(std::uint64_t offset, std::uint64_t length) override;

 private:
  struct Run : boost::intrusive::set_base_hook<boost::intrusive::optimize_size<true>> {
    std::uint64_t first_page = 0;
    std::uint64_t page_count = 0;
    std::byte* memory = nullptr;
    friend bool operator<(const Run& a, const Run& b) { return a.first_page < b.first_page; }
  };
  struct ByPage {
    bool operator()(std::uint64_t page, const Run& run) const { return page < run.first_page; }
    bool operator()(const Run& run, std::uint64_t page) const { return run.first_page < page; }
  };

  explicit SharedMemory(std::uint64_t size_bytes) : size_(size_bytes) {}
  Result<Run*> run_for(std::uint64_t page);

  const std::uint64_t size_;
  Mutex lock_{LockRank::MemoryObject};
  boost::intrusive::set<Run> runs_;  // guarded by lock_
};

}  // namespace runhl::kernel
