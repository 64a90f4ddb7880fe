// SPDX-License-Identifier: Apache-2.0
// A buddy allocator of page runs over one range of memory. Memory that was never given out is
// never touched, so a sparse range costs what is in use.
//
//   PageRuns runs(base, page_count, order_map);   // order_map: one byte a page, zero
//   void* four_pages = runs.allocate(2);
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

#include "runhl/core/units.h"

namespace runhl::kernel {

class PageRuns {
 public:
  static constexpr unsigned kMaxOrder = 24;  // 64 GiB

  constexpr PageRuns() = default;
  /// `base` is page-aligned; `order_map` has a zero byte for every page.
  PageRuns(std::byte* base, std::span<std::uint8_t> order_map) : base_(base), map_(order_map) {}

  /// 2^order pages, aligned to their size relative to the base; null: none left.
  std::byte* allocate(unsigned order);
  /// Dirty: the host still keeps memory for these pages.
  enum class State : std::uint8_t { Clean, Dirty };
  void free(std::byte* run, unsigned order, State state = State::Dirty);

  struct Run {
    std::byte* memory = nullptr;  // null: none
    unsigned order = 0;
  };
  /// Takes out a free dirty run of at least 2^min_order pages; free() it clean.
  Run take_dirty(unsigned min_order);

  /// The largest order that `run` is aligned to and that `pages` fill.
  [[nodiscard]] unsigned order_at(const void* run, std::size_t pages) const {
    const std::size_t page = page_of(run);
    const auto fills = static_cast<unsigned>(std::bit_width(pages)) - 1;
    const unsigned aligned = page == 0 ? kMaxOrder : static_cast<unsigned>(std::countr_zero(page));
    return std::min({fills, aligned, kMaxOrder});
  }

  /// Pages are counted from the base.
  [[nodiscard]] std::size_t page_of(const void* memory) const {
    return static_cast<std::size_t>(static_cast<const std::byte*>(memory) - base_) / kPageSize;
  }
  [[nodiscard]] std::byte* page_at(std::size_t page) const { return base_ + page * kPageSize; }

  [[nodiscard]] std::size_t free_pages() const { return free_pages_ + map_.size() - frontier_; }
  [[nodiscard]] std::size_t dirty_pages() const { return dirty_pages_; }

 private:
  struct FreeRun {
    FreeRun* next;
    FreeRun* previous;
  };
  // order_map: kFree | kDirty? | order at the first page of a free run, else 0.
  static constexpr std::uint8_t kFree = 0x80;
  static constexpr std::uint8_t kDirty = 0x40;

  FreeRun* run_at(std::size_t page) const;
  FreeRun*& list_of(std::size_t page) {
    const std::uint8_t entry = map_[page];
    return lists_[(entry & kDirty) != 0 ? 1 : 0][entry & 0x3f];
  }
  void put(std::size_t page, unsigned order, State state);
  State take(std::size_t page, unsigned order);
  bool extend(unsigned order);

  std::byte* base_ = nullptr;
  std::span<std::uint8_t> map_;
  std::size_t frontier_ = 0;  // pages from here on were never given out
  std::size_t free_pages_ = 0;
  std::size_t dirty_pages_ = 0;                                 // of them
  std::array<std::array<FreeRun*, kMaxOrder + 1>, 2> lists_{};  // clean ones, dirty ones
};

}  // namespace runhl::kernel
