// SPDX-License-Identifier: Apache-2.0
#include "mm/page_runs.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <random>
#include <vector>

#include "runhl/core/units.h"

namespace runhl::kernel {
namespace {

constexpr std::size_t kPages = 256;

class PageRunsTest : public testing::Test {
 protected:
  struct Free {
    void operator()(void* memory) const { std::free(memory); }
  };
  std::unique_ptr<std::byte, Free> memory_{
      static_cast<std::byte*>(std::aligned_alloc(kPageSize, kPages* kPageSize))};
  std::vector<std::uint8_t> map_ = std::vector<std::uint8_t>(kPages);
  PageRuns runs_{memory_.get(), map_};
};

TEST_F(PageRunsTest, Runs_are_aligned_to_their_size) {
  ASSERT_NE(runs_.allocate(0), nullptr);
  std::byte* const run = runs_.allocate(3);
  ASSERT_NE(run, nullptr);
  EXPECT_EQ(static_cast<std::size_t>(run - memory_.get()) % (8 * kPageSize), 0U);
}

TEST_F(PageRunsTest, All_pages_can_be_had_and_no_more) {
  for (std::size_t i = 0; i < kPages; ++i) {
    ASSERT_NE(runs_.allocate(0), nullptr);
  }
  EXPECT_EQ(runs_.free_pages(), 0U);
  EXPECT_EQ(runs_.allocate(0), nullptr);
}

TEST_F(PageRunsTest, Freed_neighbours_become_one_run) {
  std::vector<std::byte*> pages;
  for (std::size_t i = 0; i < kPages; ++i) {
    pages.push_back(runs_.allocate(0));
  }
  for (std::byte* const page : pages) {
    runs_.free(page, 0);
  }
  EXPECT_EQ(runs_.free_pages(), kPages);
  EXPECT_NE(runs_.allocate(8), nullptr);
}

TEST_F(PageRunsTest, Dirty_runs_are_found_until_they_were_cleaned) {
  std::byte* const small = runs_.allocate(0);
  std::byte* const large = runs_.allocate(4);
  EXPECT_EQ(runs_.take_dirty(0).memory, nullptr) << "what was never given out is clean";
  runs_.free(large, 4);
  runs_.free(small, 0);
  EXPECT_GE(runs_.dirty_pages(), 17U);
  const PageRuns::Run found = runs_.take_dirty(4);
  ASSERT_NE(found.memory, nullptr);
  EXPECT_GE(found.order, 4U);
  runs_.free(found.memory, found.order, PageRuns::State::Clean);
  EXPECT_EQ(runs_.take_dirty(4).memory, nullptr);
  EXPECT_EQ(runs_.free_pages(), kPages);
}

TEST_F(PageRunsTest, Dirt_spreads_over_a_merged_run) {
  std::byte* const first = runs_.allocate(0);
  std::byte* const second = runs_.allocate(0);
  runs_.free(first, 0, PageRuns::State::Clean);
  runs_.free(second, 0, PageRuns::State::Dirty);
  EXPECT_EQ(runs_.take_dirty(1).memory, first);
}

TEST_F(PageRunsTest, Runs_never_overlap) {
  struct Run {
    std::byte* start;
    unsigned order;
    std::byte mark;
  };
  std::mt19937 random(7);
  std::vector<Run> live;
  for (unsigned step = 0; step < 5000; ++step) {
    if (live.empty() || random() % 2 == 0) {
      const auto order = static_cast<unsigned>(random() % 5);
      std::byte* const start = runs_.allocate(order);
      if (start != nullptr) {
        const auto mark = static_cast<std::byte>(step);
        std::fill_n(start, kPageSize << order, mark);
        live.push_back({start, order, mark});
      }
      continue;
    }
    const std::size_t victim = random() % live.size();
    const Run run = live[victim];
    ASSERT_EQ(run.start[0], run.mark);
    ASSERT_EQ(run.start[(kPageSize << run.order) - 1], run.mark);
    runs_.free(run.start, run.order);
    live.erase(live.begin() + static_cast<std::ptrdiff_t>(victim));
  }
}

}  // namespace
}  // namespace runhl::kernel
