// SPDX-License-Identifier: Apache-2.0
#include "mm/object_pages.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <vector>

#include "runhl/core/units.h"

namespace runhl::kernel {
namespace {

constexpr std::size_t kPages = 64;

class ObjectPagesTest : public testing::Test {
 protected:
  struct Free {
    void operator()(void* memory) const { std::free(memory); }
  };
  std::unique_ptr<std::byte, Free> memory_{
      static_cast<std::byte*>(std::aligned_alloc(kPageSize, kPages* kPageSize))};
  std::vector<std::uint8_t> map_ = std::vector<std::uint8_t>(kPages);
  std::vector<ObjectPages::Note> notes_ = std::vector<ObjectPages::Note>(kPages);
  PageRuns runs_{memory_.get(), map_};
  ObjectPages objects_{runs_, notes_};
};

TEST_F(ObjectPagesTest, All_memory_can_be_had_and_no_more) {
  for (std::size_t i = 0; i < kPages * 2; ++i) {
    ASSERT_NE(objects_.allocate(2000), nullptr) << i;
  }
  EXPECT_EQ(objects_.allocate(2000), nullptr);
  EXPECT_EQ(objects_.allocate(1), nullptr) << "of any size";
}

TEST_F(ObjectPagesTest, Pages_of_free_objects_go_back_but_for_one) {
  std::vector<void*> objects(1000);
  for (void*& object : objects) {
    object = objects_.allocate(100);
  }
  std::ranges::shuffle(objects, std::minstd_rand(1));
  std::size_t pages_back = 0;
  for (void* const object : objects) {
    pages_back += objects_.free(object, 100) ? 1U : 0U;
  }
  EXPECT_GT(pages_back, 30U);
  EXPECT_EQ(runs_.free_pages(), kPages - 1);
}

TEST_F(ObjectPagesTest, One_object_keeps_its_page) {
  void* const kept = objects_.allocate(2048);
  void* const neighbour = objects_.allocate(2048);
  void* const other = objects_.allocate(2048);
  EXPECT_FALSE(objects_.free(neighbour, 2048));
  EXPECT_TRUE(objects_.free(kept, 2048)) << "the other page has a free object";
  EXPECT_FALSE(objects_.free(other, 2048)) << "nor does the last page go";
}

TEST_F(ObjectPagesTest, Objects_of_all_sizes_do_not_overlap) {
  struct Object {
    unsigned char* at;
    std::size_t size;
    unsigned char fill;
  };
  std::vector<Object> live;
  std::minstd_rand random(7);
  for (int step = 0; step < 20'000; ++step) {
    if (live.empty() || random() % 5 < 3) {
      const std::size_t size = 1 + random() % ObjectPages::kLargest;
      auto* const at = static_cast<unsigned char*>(objects_.allocate(size));
      if (at != nullptr) {
        ASSERT_EQ(reinterpret_cast<std::uintptr_t>(at) % 16, 0U);
        live.push_back({at, size, static_cast<unsigned char>(random())});
        std::memset(at, live.back().fill, size);
        continue;
      }
    }
    std::swap(live[random() % live.size()], live.back());
    const Object last = live.back();
    live.pop_back();
    ASSERT_TRUE(std::all_of(last.at, last.at + last.size,
                            [&](unsigned char byte) { return byte == last.fill; }));
    objects_.free(last.at, last.size);
  }
  for (const Object& object : live) {
    objects_.free(object.at, object.size);
  }
  EXPECT_GE(runs_.free_pages(), kPages - ObjectPages::kSizes.size());
}

}  // namespace
}  // namespace runhl::kernel
