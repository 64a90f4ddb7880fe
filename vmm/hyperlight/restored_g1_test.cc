// SPDX-License-Identifier: Apache-2.0
#include "hyperlight/restored_g1.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <vector>

#include "hyperlight/init_data.h"
#include "hyperlight/page_tables.h"
#include "runhl/core/units.h"

namespace runhl::vmm::hyperlight {
namespace {

namespace hl = abi::hyperlight;
using ::testing::HasSubstr;

constexpr std::uint64_t kBooted = 1'700'000'000'000'000'000, kArchive = 272;

/// A guest of two pages of text and one of init_data, which lie apart from where it sees them.
class RestoredG1Test : public ::testing::Test {
 protected:
  RestoredG1Test() {
    file_.resize(2 * kPageSize);
    for (std::size_t i = 0; i < file_.size(); ++i) {
      file_[i] = static_cast<std::byte>(i * 7 + i / 251);
    }
    image_.size = 3 * kPageSize;
    image_.segments = {{0, file_, true}, {2 * kPageSize, std::span(file_).first(100), false}};
    spec_.initrd_fd = 0;
    spec_.initrd_size = kArchive;
    spec_.mounts = {{-1, "/host", false}};
    layout_ = *make_layout(Generation::G1, image_, 16 * kMiB, kPageSize);
    const Bytes block = make_init_data(spec_, kBooted);
    memory_.resize(3 * kPageSize);
    std::copy(block.begin(), block.end(), memory_.begin());
    std::copy(file_.begin(), file_.end(), memory_.begin() + kPageSize);
    PageTables tables(tables_at());
    tables.map(layout_.init_data, layout_.base, kPageSize, hl::kPteNoExecute);
    tables.map(layout_.code_virtual, layout_.base + kPageSize, 2 * kPageSize, 0);
    tables_.assign(tables.bytes().begin(), tables.bytes().end());
  }
  [[nodiscard]] std::uint64_t tables_at() const {
    return layout_.scratch_physical() + layout_.page_tables;
  }
  std::string refusal() {
    const std::array<PhysicalRange, 2> ranges{{{layout_.base, memory_}, {tables_at(), tables_}}};
    const Result<void> checked = check_boot_of({ranges, tables_at()}, layout_, image_, spec_);
    return checked ? "accepted" : checked.error().message;
  }
  std::uint64_t counter(std::uint64_t now) {
    const std::array<PhysicalRange, 2> ranges{{{layout_.base, memory_}, {tables_at(), tables_}}};
    return counter_since_boot({ranges, tables_at()}, layout_, now);
  }
  /// Of the text, as it is in memory.
  void add(std::size_t at, std::uint64_t value) {
    std::uint64_t word = 0;
    std::memcpy(&word, &memory_[kPageSize + at], sizeof word);
    word += value;
    std::memcpy(&memory_[kPageSize + at], &word, sizeof word);
  }

  std::vector<std::byte> file_, memory_, tables_;
  ElfImage image_;
  GuestSpec spec_;
  Layout layout_;
};

TEST_F(RestoredG1Test, A_kernels_text_is_that_of_its_file) {
  EXPECT_EQ(refusal(), "accepted");
  for (const std::size_t at : {0UL, 1UL, 4095UL, 4096UL, 8191UL}) {
    memory_[kPageSize + at] ^= std::byte{1};
    EXPECT_THAT(refusal(), HasSubstr("another kernel")) << at;
    memory_[kPageSize + at] ^= std::byte{1};
  }
  std::fill(tables_.begin(), tables_.end(), std::byte{0});
  EXPECT_THAT(refusal(), HasSubstr("another kernel"));
}

TEST_F(RestoredG1Test, A_kernel_may_have_added_its_place_to_words_of_its_text) {
  for (const std::size_t at : {0UL, 8UL, 17UL, 4093UL, 8184UL}) {
    add(at, layout_.code_virtual);
    EXPECT_EQ(refusal(), "accepted") << at;
  }
  add(100, 0x2000);
  EXPECT_THAT(refusal(), HasSubstr("another kernel"));
}

TEST_F(RestoredG1Test, An_archive_is_as_large_as_the_one_it_booted_with) {
  spec_.initrd_size = kArchive + 4;
  EXPECT_THAT(refusal(), HasSubstr("an archive of 272 bytes, not 276"));
  spec_.initrd_fd = -1;
  EXPECT_THAT(refusal(), HasSubstr("an archive of 272 bytes, not 0"));
  std::fill_n(memory_.begin(), kPageSize, std::byte{0});  // a guest that was told of none
  EXPECT_EQ(refusal(), "accepted");
}

TEST_F(RestoredG1Test, Its_counter_has_gone_on_since_it_booted) {
  EXPECT_EQ(counter(kBooted + 1'000'000'000), 2'500'000'000U);
  EXPECT_EQ(counter(kBooted), 0U);
  EXPECT_EQ(counter(kBooted - 1), 0U);
  EXPECT_EQ(counter(kBooted + (1ULL << 60U)), (1ULL << 59U) * 5);
  std::fill_n(memory_.begin(), kPageSize, std::byte{0});
  EXPECT_EQ(counter(kBooted + 1), 0U);
}

}  // namespace
}  // namespace runhl::vmm::hyperlight
