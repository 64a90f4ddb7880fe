// SPDX-License-Identifier: Apache-2.0
#include "hyperlight/init_data.h"

#include <gtest/gtest.h>

#include <cstring>

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

TEST(InitData, The_time_is_whole_however_long_the_arguments_are) {
  GuestSpec spec;
  for (std::size_t size = 4040; size < 4110; ++size) {
    spec.command_line.assign(size, 'x');
    const Bytes block = make_init_data(spec, kTime);
    const std::size_t at = text_of(block).find("HLWALL0") + 12;
    std::uint64_t time = 0;
    std::memcpy(&time, block.data() + at, sizeof time);
    EXPECT_EQ(time, kTime) << size;
    EXPECT_EQ(last_word(block), 0U) << size;
    EXPECT_EQ(block.size(), size <= 4055 ? kPageSize : 2 * kPageSize);
  }
}

}  // namespace
}  // namespace runhl::vmm::hyperlight
