// SPDX-License-Identifier: Apache-2.0
#include "fs/tmpfs/file_pages.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <vector>

namespace runhl::kernel {
namespace {

constexpr std::uint64_t kLimit = 4 * kMiB;

std::vector<std::byte> random_bytes(std::mt19937& random, std::size_t size) {
  std::vector<std::byte> bytes(size);
  for (std::byte& byte : bytes) {
    byte = static_cast<std::byte>(random() | 1U);
  }
  return bytes;
}

/// A lower file in whole pages, as the archive holds it: not followed by zeros.
class Lower {
 public:
  Lower(std::mt19937& random, std::size_t size)
      : memory_(
            static_cast<std::byte*>(std::aligned_alloc(kPageSize, align_up(size + 1, kPageSize)))),
        size_(size) {
    const std::vector<std::byte> bytes = random_bytes(random, align_up(size + 1, kPageSize));
    std::memcpy(memory_, bytes.data(), bytes.size());
  }
  Lower(const Lower&) = delete;
  Lower& operator=(const Lower&) = delete;
  ~Lower() { std::free(memory_); }
  [[nodiscard]] LowerBytes bytes() const { return {.start = memory_, .size = size_}; }
  [[nodiscard]] std::vector<std::byte> copy() const { return {memory_, memory_ + size_}; }

 private:
  std::byte* memory_;
  std::size_t size_;
};

std::vector<std::byte> read_all(const FilePages& pages) {
  std::vector<std::byte> bytes(pages.size() + 1);
  IoBuffer buffer{std::span(bytes)};
  bytes.resize(pages.read(buffer, 0).value());
  return bytes;
}

/// What a mapping of the whole file shows.
std::vector<std::byte> map_all(FilePages& pages, MapUse use) {
  std::vector<std::byte> bytes;
  const std::uint64_t end = align_up(pages.size(), kPageSize);
  while (bytes.size() < end) {
    const auto part = pages.map_part(bytes.size(), end - bytes.size(), use).value();
    EXPECT_NE(part.length, 0U);
    if (part.at != nullptr) {
      bytes.insert(bytes.end(), part.at, part.at + part.length);
    } else {
      EXPECT_EQ(part.kind, FilePages::MapPart::Kind::Zero);
      bytes.resize(bytes.size() + part.length);
    }
  }
  return bytes;
}

TEST(FilePages, A_hole_costs_nothing_and_reads_as_zeros) {
  PageQuota quota(kLimit);
  FilePages pages(quota);
  pages.resize(1ULL << 40);
  EXPECT_EQ(quota.used(), 0U);
  std::byte byte{1};
  IoBuffer buffer{std::span(&byte, 1)};
  EXPECT_EQ(pages.read(buffer, 1ULL << 39).value(), 1U);
  EXPECT_EQ(byte, std::byte{0});
  EXPECT_EQ(pages.next_data(0), pages.size());
}

TEST(FilePages, A_write_takes_up_its_own_page_alone) {
  std::mt19937 random(1);
  const Lower lower(random, 100 * kPageSize + 7);
  PageQuota quota(kLimit);
  FilePages pages(quota);
  pages.begin_as(lower.bytes());
  std::byte byte{0};
  IoBuffer buffer{std::span(&byte, 1)};
  ASSERT_EQ(pages.write(buffer, 50 * kPageSize + 3).value(), 1U);
  EXPECT_EQ(quota.used(), kPageSize);
  std::vector<std::byte> expected = lower.copy();
  expected[50 * kPageSize + 3] = std::byte{0};
  EXPECT_EQ(read_all(pages), expected);
}

TEST(FilePages, The_last_page_of_a_mapping_ends_in_zeros) {
  std::mt19937 random(2);
  const Lower lower(random, kPageSize + 100);
  PageQuota quota(kLimit);
  FilePages pages(quota);
  pages.begin_as(lower.bytes());
  std::vector<std::byte> expected = lower.copy();
  expected.resize(2 * kPageSize);
  EXPECT_EQ(map_all(pages, MapUse::Private), expected);
  EXPECT_EQ(quota.used(), kPageSize);
}

TEST(FilePages, A_full_file_system_takes_what_fits) {
  PageQuota quota(8 * kPageSize);
  FilePages pages(quota);
  std::vector<std::byte> bytes(9 * kPageSize);
  IoBuffer buffer{std::span(bytes)};
  EXPECT_EQ(pages.write(buffer, 0).value(), 8 * kPageSize);
  EXPECT_EQ(to_int(pages.write(buffer, 8 * kPageSize).error()), ENOSPC);
  pages.resize(0);
  EXPECT_EQ(quota.used(), 0U);
}

TEST(FilePages, An_appended_file_is_a_few_runs) {
  PageQuota quota(kLimit);
  FilePages pages(quota);
  std::vector<std::byte> bytes(1000);
  for (int i = 0; i < 1000; ++i) {
    IoBuffer buffer{std::span(bytes)};
    ASSERT_EQ(pages.write(buffer, pages.size()).value(), bytes.size());
  }
  int parts = 0;
  for (std::uint64_t at = 0; at < pages.size(); ++parts) {
    at += pages.map_part(at, align_up(pages.size(), kPageSize) - at, MapUse::SharedRead)->length;
  }
  EXPECT_LE(parts, 12);
}

TEST(FilePages, Mapped_pages_stay_until_the_mapping_ends) {
  PageQuota quota(kLimit);
  FilePages pages(quota);
  std::vector<std::byte> bytes(4 * kPageSize, std::byte{7});
  IoBuffer buffer{std::span(bytes)};
  ASSERT_TRUE(pages.write(buffer, 0));
  pages.mapping_began();
  const auto before = pages.map_part(kPageSize, kPageSize, MapUse::SharedWrite).value();
  pages.resize(10);
  EXPECT_EQ(*before.at, std::byte{0});
  pages.resize(4 * kPageSize);
  EXPECT_EQ(pages.map_part(kPageSize, kPageSize, MapUse::SharedWrite)->at, before.at);
  pages.resize(10);
  pages.mapping_ended();
  EXPECT_EQ(quota.used(), kPageSize);
}

TEST(FilePages, Behind_the_last_page_a_mapping_shows_nothing) {
  PageQuota quota(kLimit);
  FilePages pages(quota);
  std::vector<std::byte> bytes(3 * kPageSize, std::byte{7});
  IoBuffer buffer{std::span(bytes)};
  ASSERT_TRUE(pages.write(buffer, 0));
  pages.mapping_began();
  pages.resize(kPageSize + 1);
  for (const MapUse use : {MapUse::Private, MapUse::SharedRead, MapUse::SharedWrite}) {
    const auto inside = pages.map_part(kPageSize, 8 * kPageSize, use).value();
    EXPECT_EQ(inside.length, kPageSize);
    EXPECT_EQ(inside.at[0], std::byte{7});
    EXPECT_EQ(inside.at[1], std::byte{0});
    const auto behind = pages.map_part(2 * kPageSize, 8 * kPageSize, use).value();
    EXPECT_EQ(behind.kind, FilePages::MapPart::Kind::BeyondEnd);
    EXPECT_EQ(behind.length, 8 * kPageSize);
  }
  pages.mapping_ended();
}

class RandomPages : public testing::TestWithParam<unsigned> {};

TEST_P(RandomPages, Agree_with_a_vector_of_bytes) {
  std::mt19937 random(GetParam());
  const Lower lower(random, random() % (20 * kPageSize));
  PageQuota quota(kLimit);
  {
    FilePages pages(quota);
    std::vector<std::byte> model;
    if (GetParam() % 4 != 0) {
      pages.begin_as(lower.bytes());
      model = lower.copy();
    }
    for (int step = 0; step < 150; ++step) {
      const std::uint64_t offset = random() % (24 * kPageSize);
      const std::uint64_t length = 1 + random() % (random() % 2 == 0 ? 100 : 3 * kPageSize);
      switch (random() % 6) {
        case 0:
        case 1: {
          std::vector<std::byte> bytes = random_bytes(random, length);
          IoBuffer buffer{std::span(bytes)};
          ASSERT_EQ(pages.write(buffer, offset).value(), length);
          model.resize(std::max<std::size_t>(model.size(), offset + length));
          std::copy(bytes.begin(), bytes.end(), model.begin() + static_cast<long>(offset));
          break;
        }
        case 2:
          pages.resize(offset);
          model.resize(offset);
          break;
        case 3:
          ASSERT_TRUE(pages.punch(offset, length));
          for (std::uint64_t at = offset; at < std::min(model.size(), offset + length); ++at) {
            model[at] = std::byte{0};
          }
          break;
        case 4:
          ASSERT_TRUE(pages.allocate(offset, length));
          break;
        default: {
          std::vector<std::byte> expected = model;
          expected.resize(align_up(model.size(), kPageSize));
          ASSERT_EQ(map_all(pages, static_cast<MapUse>(random() % 3)), expected);
        }
      }
      ASSERT_EQ(read_all(pages), model) << "step " << step;
      ASSERT_GE(pages.data_pages() * kPageSize, quota.used());
    }
  }
  EXPECT_EQ(quota.used(), 0U);
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomPages, ::testing::Range(1U, 9U));

}  // namespace
}  // namespace runhl::kernel
