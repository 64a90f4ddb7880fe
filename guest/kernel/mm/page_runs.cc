// SPDX-License-Identifier: Apache-2.0
#include "mm/page_runs.h"

namespace runhl::kernel {

PageRuns::FreeRun* PageRuns::run_at(std::size_t page) const {
  // SAFETY: a free run's first bytes hold its list node; runs are page-aligned.
  return reinterpret_cast<FreeRun*>(page_at(page));
}

void PageRuns::put(std::size_t page, unsigned order, State state) {
  const std::uint8_t dirty = state == State::Dirty ? kDirty : 0;
  map_[page] = static_cast<std::uint8_t>(kFree | dirty | order);
  FreeRun*& list = list_of(page);
  FreeRun* const run = run_at(page);
  *run = {list, nullptr};
  if (run->next != nullptr) {
    run->next->previous = run;
  }
  list = run;
  free_pages_ += std::size_t{1} << order;
  dirty_pages_ += dirty != 0 ? std::size_t{1} << order : 0;
}

PageRuns::State PageRuns::take(std::size_t page, unsigned order) {
  FreeRun* const run = run_at(page);
  const State state = (map_[page] & kDirty) != 0 ? State::Dirty : State::Clean;
  (run->previous != nullptr ? run->previous->next : list_of(page)) = run->next;
  if (run->next != nullptr) {
    run->next->previous = run->previous;
  }
  map_[page] = 0;
  free_pages_ -= std::size_t{1} << order;
  dirty_pages_ -= state == State::Dirty ? std::size_t{1} << order : 0;
  return state;
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
    put(frontier_, piece, State::Clean);
    frontier_ += std::size_t{1} << piece;
  }
  frontier_ = start + size;
  put(start, order, State::Clean);
  return true;
}

std::byte* PageRuns::allocate(unsigned order) {
  // Of equal size the ones that the host has memory for.
  const auto any = [this](unsigned size) {
    return lists_[1][size] != nullptr ? lists_[1][size] : lists_[0][size];
  };
  unsigned found = order;
  while (found <= kMaxOrder && any(found) == nullptr) {
    ++found;
  }
  if (found > kMaxOrder) {
    if (order > kMaxOrder || !extend(order)) {
      return nullptr;
    }
    found = order;
  }
  const std::size_t page = page_of(any(found));
  const State state = take(page, found);
  while (found > order) {
    --found;
    put(page + (std::size_t{1} << found), found, state);
  }
  return page_at(page);
}

void PageRuns::free(std::byte* run, unsigned order, State state) {
  std::size_t page = page_of(run);
  while (order < kMaxOrder) {
    const std::size_t buddy = page ^ (std::size_t{1} << order);
    if (buddy >= frontier_ || (map_[buddy] & ~kDirty) != (kFree | order)) {
      break;
    }
    if (take(buddy, order) == State::Dirty) {
      state = State::Dirty;
    }
    page &= ~(std::size_t{1} << order);
    ++order;
  }
  put(page, order, state);
}

PageRuns::Run PageRuns::take_dirty(unsigned min_order) {
  for (unsigned order = kMaxOrder + 1; order-- > min_order;) {
    if (FreeRun* const run = lists_[1][order]) {
      take(page_of(run), order);
      return {reinterpret_cast<std::byte*>(run), order};
    }
  }
  return {};
}

}  // namespace runhl::kernel
