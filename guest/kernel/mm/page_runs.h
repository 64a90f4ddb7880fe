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

namespace runhl::kernel {

class PageRuns {
 public:
  static constexpr unsigned kMaxOrder = 24;  // 64 GiB

  constexpr PageRuns() = default;
  /// `base` is page-aligned; `order_map` has a zero byte for every page.
  PageRuns(std::byte* base, std::span<std::uint8_t> order_map) : base_(base), map_(order_map) {}

  /// 2^order pages, aligned to their size relative to the base; null: none left.
  std::byte* allocate(unsigned order);
  void free(std::byte* run, unsigned order);

  /// The largest order that `run` is aligned to and that `pages` fill.
  [[nodiscard]] unsigned order_at(const void* run, std::size_t pages) const {
    const std::size_t page = page_of(run);
    const auto fills = static_cast<unsigned>(std::bit_width(pages)) - 1;
    const unsigned aligned = page == 0 ? kMaxOrder : static_cast<unsigned>(std::countr_zero(page));
    return std::min({fills, aligned, kMaxOrder});
  }

  [[nodiscard]] std::size_t free_pages() const { return free_pages_ + map_.size() - frontier_; }

 private:
  struct FreeRun {
    FreeRun* next;
    FreeRun* previous;
  };
  // order_map: kFree | order at the first page of a free run, else 0.
  static constexpr std::uint8_t kFree = 0x80;

  FreeRun* run_at(std::size_t page) const;
  std::size_t page_of(const void* run) const;
  void put(std::size_t page, unsigned order);
  void take(std::size_t page, unsigned order);
  bool extend(unsigned order);

  std::byte* base_ = nullptr;
  std::span<std::uint8_t> map_;
  std::size_t frontier_ = 0;  // pages from here on were never given out
  std::size_t free_pages_ = 0;
  std::array<FreeRun*, kMaxOrder + 1> lists_{};
};

}  // namespace runhl::kernel
