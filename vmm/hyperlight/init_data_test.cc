// SPDX-License-Identifier: Apache-2.0
#include "hyperlight/init_data.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <span>

#include "runhl/core/units.h"

namespace runhl::vmm::hyperlight {
namespace {

constexpr std::uint64_t kTime = 0x0102'0304'0506'0708;

std::string text_of(const Bytes& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::uint64_t last_word(const Bytes& bytes) {
  std::uint64_t word = 0;
  std::memcpy(&word, bytes.data() + bytes.size() - sizeof word, sizeof word);
  return word;
}

TEST(InitData, Is_the_block_that_upstreams_host_writes) {
  GuestSpec spec;
  spec.command_line = "hello";
  spec.mounts = {{-1, "/host", false}};
  const Bytes block = make_init_data(spec, kTime);
  ASSERT_EQ(block.size(), kPageSize);
  const std::string_view expected(
      "HLCMDLN\0\5\0\0\0hello\0"
      "HLHSMNT\0\1\0\0\0\5\0\0\0/host\0"
      "HLWALL0\0\10\0\0\0\10\7\6\5\4\3\2\1",
      60);
  EXPECT_EQ(text_of(block).substr(0, 60), expected);
  EXPECT_EQ(text_of(block).find_first_not_of('\0', 60), std::string::npos);
}

TEST(InitData, Ends_with_the_size_of_the_archive) {
  GuestSpec spec;
  spec.initrd_fd = 0;
  spec.initrd_size = 1234;
  EXPECT_EQ(last_word(make_init_data(spec, kTime)), 1234U);
}

TEST(InitData, Is_none_where_there_is_nothing_to_say_and_in_other_generations) {
  GuestSpec spec;
  EXPECT_EQ(init_data_size(Generation::G1, spec), 0U);
  EXPECT_TRUE(make_init_data(spec, kTime).empty());
  spec.command_line = "x";
  EXPECT_EQ(init_data_size(Generation::G1, spec), kPageSize);
  EXPECT_EQ(init_data_size(Generation::G2, spec), 0U);
  EXPECT_EQ(init_data_size(Generation::G3, spec), 0U);
}

TEST(InitData, Time_and_archive_are_found_however_long_the_arguments_are) {
  GuestSpec spec;
  spec.initrd_fd = 0;
  spec.initrd_size = 1234;
  for (std::size_t size = 4040; size < 4110; ++size) {
    spec.command_line.assign(size, 'x');
    const Bytes block = make_init_data(spec, kTime);
    const std::size_t at = text_of(block).find("HLWALL0") + 12;
    std::uint64_t time = 0;
    std::memcpy(&time, block.data() + at, sizeof time);
    EXPECT_EQ(time, kTime) << size;
    EXPECT_EQ(read_init_data(block).archive_size, 1234U) << size;
    EXPECT_EQ(block.size(), size <= 4055 ? kPageSize : 2 * kPageSize) << size;
  }
}

TEST(InitData, Is_read_as_it_was_written) {
  GuestSpec spec;
  spec.command_line = "a \"b c\"";
  spec.mounts = {{-1, "/host", false}, {-1, "/data", true}};
  spec.initrd_fd = 0;
  spec.initrd_size = 1234;
  const Bytes block = make_init_data(spec, kTime);
  const InitData data = read_init_data(block);
  EXPECT_TRUE(data.is_block);
  EXPECT_EQ(data.wall_clock_ns, kTime);
  EXPECT_EQ(data.archive_size, 1234U);
  Bytes with_archive = block;  // which stands behind the block
  with_archive.resize(3 * kPageSize, std::byte{0x30});
  EXPECT_EQ(read_init_data(with_archive).archive_size, 0U);
  EXPECT_EQ(read_init_data(with_archive).wall_clock_ns, kTime);
  EXPECT_FALSE(read_init_data({}).is_block);
  EXPECT_FALSE(read_init_data(std::span(block).subspan(1)).is_block);
}

TEST(InitData, That_ends_anywhere_or_lies_about_lengths_says_less) {
  GuestSpec spec;
  spec.command_line = "hello";
  spec.mounts = {{-1, "/host", false}};
  Bytes block = make_init_data(spec, kTime);
  for (std::size_t size = 0; size < 60; ++size) {
    EXPECT_EQ(read_init_data(std::span(block).first(size)).wall_clock_ns, 0U) << size;
  }
  for (const std::size_t at : {8U, 26U, 30U}) {  // a length, a count, a length
    Bytes bad = block;
    std::fill_n(bad.begin() + static_cast<std::ptrdiff_t>(at), 4, std::byte{0xff});
    EXPECT_EQ(read_init_data(bad).wall_clock_ns, 0U) << at;
  }
}

}  // namespace
}  // namespace runhl::vmm::hyperlight
