// SPDX-License-Identifier: Apache-2.0
#include "mm/page_runs.h"

#include "runhl/core/units.h"

namespace runhl::kernel {

PageRuns::FreeRun* PageRuns::run_at(std::size_t page) const {
  // SAFETY: a free run's first bytes hold its list node; runs are page-aligned.
  return reinterpret_cast<FreeRun*>(base_ + page * kPageSize);
}

std::size_t PageRuns::page_of(const void* run) const {
  return static_cast<std::size_t>(static_cast<const std::byte*>(run) - base_) / kPageSize;
}

void PageRuns::put(std::size_t page, unsigned order) {
  FreeRun* const run = run_at(page);
  *run = {lists_[order], nullptr};
  if (run->next != nullptr) {
    run->next->previous = run;
  }
  lists_[order] = run;
  map_[page] = static_cast<std::uint8_t>(kFree | order);
  free_pages_ += std::size_t{1} << order;
}

void PageRuns::take(std::size_t page, unsigned order) {
  FreeRun* const run = run_at(page);
  (run->previous != nullptr ? run->previous->next : lists_[order]) = run->next;
  if (run->next != nullptr) {
    run->next->previous = run->previous;
  }
  map_[page] = 0;
  free_pages_ -= std::size_t{1} << order;
}

/// Moves the frontier so that lists_[order] has a run; the pages skipped for alignment go to the
/// lists in aligned pieces.
bool PageRuns::extend(unsigned order) {
  const std::size_t size = std::size_t{1} << order;
  const std::size_t start = align_up(frontier_, size);
  if (start > map_.size() || map_.size() - start < size) {
    return false;
  }
  while (frontier_ < start) {
    const auto piece = static_cast<unsigned>(__builtin_ctzll(frontier_));
    put(frontier_, piece);
    frontier_ += std::size_t{1} << piece;
  }
  frontier_ = start + size;
  put(start, order);
  return true;
}

std::byte* PageRuns::allocate(unsigned order) {
  unsigned found = order;
  while (found <= kMaxOrder && lists_[found] == nullptr) {
    ++found;
  }
  if (found > kMaxOrder) {
    if (order > kMaxOrder || !extend(order)) {
      return nullptr;
    }
    found = order;
  }
  const std::size_t page = page_of(lists_[found]);
  take(page, found);
  while (found > order) {
    --found;
    put(page + (std::size_t{1} << found), found);
  }
  return base_ + page * kPageSize;
}

void PageRuns::free(std::byte* run, unsigned order) {
  std::size_t page = page_of(run);
  while (order < kMaxOrder) {
    const std::size_t buddy = page ^ (std::size_t{1} << order);
    if (buddy >= frontier_ || map_[buddy] != (kFree | order)) {
      break;
    }
    take(buddy, order);
    page &= ~(std::size_t{1} << order);
    ++order;
  }
  put(page, order);
}

}  // namespace runhl::kernel
