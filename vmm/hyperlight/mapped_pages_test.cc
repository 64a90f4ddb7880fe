// SPDX-License-Identifier: Apache-2.0
#include "hyperlight/mapped_pages.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <array>
#include <cstring>
#include <string>
#include <vector>

#include "hyperlight/page_tables.h"
#include "hyperlight/snapshot_memory.h"
#include "runhl/base/unique_fd.h"
#include "runhl/core/units.h"

namespace runhl::vmm::hyperlight {
namespace {

namespace hl = abi::hyperlight;
using ::testing::HasSubstr;

constexpr std::uint64_t kLow = 0x4000, kLowPages = 4;       // memory that the guest only reads
constexpr std::uint64_t kHigh = 0x100000, kHighPages = 64;  // and that it writes
constexpr std::uint64_t kMost = 2 * (kLowPages + kHighPages);

class MappedPagesTest : public ::testing::Test {
 protected:
  MappedPagesTest() : low_(kLowPages * kPageSize), high_(kHighPages * kPageSize) {
    memory_ = {{{kLow, low_}, {kHigh, high_}}};
  }
  void put(std::uint64_t at, std::uint64_t value) {
    std::memcpy(high_.data() + (at - kHigh), &value, sizeof value);
  }
  void put_tables(const PageTables& tables) {
    std::memcpy(high_.data(), tables.bytes().data(), tables.bytes().size());
  }
  Result<std::vector<MappedPage>> pages() {
    return mapped_pages(memory_, kHigh, 0xffff'ffff'fff0'0000, kMost);
  }

  std::vector<std::byte> low_, high_;
  std::array<PhysicalRange, 2> memory_;
};

TEST_F(MappedPagesTest, Are_told_in_order_with_what_may_be_done_to_them) {
  PageTables tables(kHigh);
  tables.map(0xffff'a000'0000'0000, kHigh + 0x20000, kPageSize,
             hl::kPteWritable | hl::kPteNoExecute);
  tables.map(0x4000, kLow, 2 * kPageSize, hl::kPteCopyOnWrite);
  tables.map(0x8000, kLow + 0x3000, kPageSize, hl::kPteNoExecute);
  put_tables(tables);
  const auto found = pages();
  ASSERT_TRUE(found);
  ASSERT_EQ(found->size(), 4U);
  EXPECT_EQ((*found)[0].address, 0x4000U);
  EXPECT_TRUE((*found)[0].writable);
  EXPECT_TRUE((*found)[0].executable);
  EXPECT_EQ((*found)[1].physical, kLow + 0x1000);
  EXPECT_EQ((*found)[2].address, 0x8000U);
  EXPECT_FALSE((*found)[2].writable);
  EXPECT_FALSE((*found)[2].executable);
  EXPECT_EQ((*found)[3].address, 0xffff'a000'0000'0000U);
  EXPECT_TRUE((*found)[3].writable);
}

TEST_F(MappedPagesTest, Leave_out_what_is_not_there_and_what_is_the_hosts) {
  PageTables tables(kHigh);
  tables.map(0x10000, 0x7000'0000, kPageSize, 0);              // no memory
  tables.map(0x20000, 0x3000, 2 * kPageSize, 0);               // the second is there
  tables.map(hl::kTablesWindow, kLow, kPageSize, 0);           // reserved
  tables.map(0xffff'ffff'fff0'0000, kHigh, 2 * kPageSize, 0);  // scratch
  put_tables(tables);
  const auto found = pages();
  ASSERT_TRUE(found);
  ASSERT_EQ(found->size(), 1U);
  EXPECT_EQ((*found)[0].address, 0x21000U);
  EXPECT_EQ((*found)[0].physical, kLow);
}

TEST_F(MappedPagesTest, Of_large_pages_are_those_that_there_is_memory_for) {
  put(kHigh, (kHigh + 0x1000) | hl::kPtePresent | hl::kPteWritable);
  put(kHigh + 0x1000, 0 | hl::kPtePresent | hl::kPteLarge);  // 1 GiB from 0
  const auto found = pages();
  ASSERT_TRUE(found);
  ASSERT_EQ(found->size(), kLowPages + kHighPages);
  EXPECT_EQ((*found)[0].address, kLow);
  EXPECT_EQ(found->back().physical, kHigh + (kHighPages - 1) * kPageSize);
}

TEST_F(MappedPagesTest, More_than_twice_the_memory_is_no_guests) {
  put(kHigh, (kHigh + 0x1000) | hl::kPtePresent);
  for (std::uint64_t i = 0; i < 3; ++i) {
    put(kHigh + 0x1000 + 8 * i, 0 | hl::kPtePresent | hl::kPteLarge);
  }
  EXPECT_THAT(pages().error().message, HasSubstr("more than it has"));
}

TEST_F(MappedPagesTest, Tables_that_lead_in_circles_end) {
  for (std::uint64_t i = 0; i < 512; ++i) {
    put(kHigh + 8 * i, kHigh | hl::kPtePresent);  // each entry of every level is itself
  }
  EXPECT_FALSE(pages());
  for (std::uint64_t level = 0; level < 3; ++level) {  // much to visit, and nothing mapped
    for (std::uint64_t i = 0; i < 512; ++i) {
      put(kHigh + level * kPageSize + 8 * i, (kHigh + (level + 1) * kPageSize) | hl::kPtePresent);
    }
  }
  std::memset(high_.data() + 3 * kPageSize, 0, kPageSize);
  EXPECT_THAT(pages().error().message, HasSubstr("more page tables"));
}

TEST_F(MappedPagesTest, Tables_outside_of_memory_map_nothing) {
  EXPECT_TRUE(mapped_pages(memory_, 0xdead'0000'0000, ~0ULL, kMost)->empty());
  put(kHigh, ~0ULL);
  EXPECT_TRUE(pages()->empty());
}

TEST_F(MappedPagesTest, What_a_guest_sees_is_read_from_its_pages) {
  PageTables tables(kHigh);
  tables.map(0x8000, kLow + 0x2000, kPageSize, 0);
  tables.map(0x9000, kHigh + 0x20000, kPageSize, hl::kPteWritable);
  put_tables(tables);
  low_[0x2fff] = std::byte{1};
  high_[0x20000] = std::byte{2};
  const auto read = [this](std::uint64_t at, std::uint64_t size) {
    return read_mapped(memory_, kHigh, at, size);
  };
  EXPECT_EQ(read(0x8fff, 2), (std::vector{std::byte{1}, std::byte{2}}));
  EXPECT_EQ(read(0x8000, 2 * kPageSize).size(), 2 * kPageSize);
  EXPECT_TRUE(read(0x7fff, 2).empty());
  EXPECT_TRUE(read(0x9fff, 2).empty());
  EXPECT_TRUE(read(~0ULL, 8).empty());
  EXPECT_TRUE(read_mapped(memory_, 0xdead'0000'0000, 0x8000, 1).empty());
}

TEST_F(MappedPagesTest, Large_pages_are_read_where_there_is_memory) {
  put(kHigh, (kHigh + 0x1000) | hl::kPtePresent);
  put(kHigh + 0x1000, 0 | hl::kPtePresent | hl::kPteLarge);  // 1 GiB from 0
  low_[5] = std::byte{7};
  EXPECT_EQ(read_mapped(memory_, kHigh, kLow + 5, 1), std::vector{std::byte{7}});
  EXPECT_TRUE(read_mapped(memory_, kHigh, kLow - 1, 1).empty());
  put(kHigh, kHigh | hl::kPtePresent | hl::kPteLarge);  // larger than there are
  EXPECT_TRUE(read_mapped(memory_, kHigh, kLow + 5, 1).empty());
}

class SnapshotMemoryTest : public MappedPagesTest {
 protected:
  SnapshotMemoryTest() {
    ElfImage image;
    image.address = image.entry = 0x4000;
    image.size = 0x1000;
    layout_ = *make_layout(Generation::G3, image, 64 * kMiB);
    fd_.reset(::memfd_create("snapshot", MFD_CLOEXEC));
  }
  Layout layout_;
  UniqueFd fd_;
};

TEST_F(SnapshotMemoryTest, Each_page_is_stored_once_and_mapped_where_it_was) {
  low_[0] = std::byte{1};
  high_[0x3000] = std::byte{2};
  const std::vector<MappedPage> pages = {{0x4000, kLow, true, true},
                                         {0x9000, kHigh + 0x3000, false, false},
                                         {0x123456000, kLow, true, false}};
  const auto sizes = write_snapshot_memory(fd_.get(), memory_, pages, layout_);
  ASSERT_TRUE(sizes) << sizes.error().message;
  EXPECT_EQ(sizes->image, 2 * kPageSize);
  // Read back as a guest's: the image at kBase, the tables where scratch has them.
  std::vector<std::byte> file(sizes->image + sizes->tables);
  ASSERT_EQ(::pread(fd_.get(), file.data(), file.size(), 0), static_cast<ssize_t>(file.size()));
  EXPECT_EQ(file[0], std::byte{1});
  EXPECT_EQ(file[kPageSize], std::byte{2});
  const std::span<const std::byte> bytes = file;
  const std::uint64_t tables = layout_.scratch_physical() + layout_.page_tables;
  const std::array<PhysicalRange, 2> memory{
      {{hl::kBase, bytes.first(sizes->image)}, {tables, bytes.subspan(sizes->image)}}};
  const auto found = mapped_pages(memory, tables, layout_.scratch_virtual(), 100);
  ASSERT_TRUE(found);
  ASSERT_EQ(found->size(), 3U);
  EXPECT_EQ((*found)[0].physical, hl::kBase);
  EXPECT_TRUE((*found)[0].writable);
  EXPECT_EQ((*found)[1].physical, hl::kBase + kPageSize);
  EXPECT_FALSE((*found)[1].writable);
  EXPECT_EQ((*found)[2].address, 0x123456000U);
  EXPECT_EQ((*found)[2].physical, hl::kBase);
  EXPECT_FALSE((*found)[2].executable);
}

TEST_F(SnapshotMemoryTest, What_was_never_written_is_not_made_by_being_looked_at) {
  constexpr std::uint64_t kAt = 0x10000, kPages = 64;
  ASSERT_EQ(::ftruncate(fd_.get(), kPages * kPageSize), 0);
  Holes all, some;
  ASSERT_TRUE(all.add(kAt, fd_.get(), kPages * kPageSize));
  EXPECT_TRUE(all.contains(kAt));
  EXPECT_TRUE(all.contains(kAt + kPages * kPageSize - 1));
  EXPECT_FALSE(all.contains(kAt - 1));
  EXPECT_FALSE(all.contains(kAt + kPages * kPageSize));
  ASSERT_EQ(::pwrite(fd_.get(), "x", 1, 5 * kPageSize), 1);
  ASSERT_TRUE(some.add(kAt, fd_.get(), kPages * kPageSize));
  EXPECT_TRUE(some.contains(kAt + 4 * kPageSize));
  EXPECT_FALSE(some.contains(kAt + 5 * kPageSize));
  EXPECT_TRUE(some.contains(kAt + 6 * kPageSize));
  EXPECT_FALSE(Holes().contains(kAt));
}

TEST_F(SnapshotMemoryTest, Nothing_mapped_is_no_snapshot) {
  EXPECT_FALSE(write_snapshot_memory(fd_.get(), memory_, {}, layout_));
}

}  // namespace
}  // namespace runhl::vmm::hyperlight
