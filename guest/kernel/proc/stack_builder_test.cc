// SPDX-License-Identifier: Apache-2.0
#include "proc/stack_builder.h"

#include <elf.h>
#include <gtest/gtest.h>
#include <linux/auxvec.h>

#include <cstring>
#include <map>
#include <string>
#include <vector>

namespace runhl::kernel {
namespace {

struct Built {
  std::vector<std::string> arguments, environment;
  std::map<std::uint64_t, std::uint64_t> auxiliary;
};

/// Reads the stack as a program's start code does.
Built read_stack(UserAddress at) {
  const auto* word = reinterpret_cast<const std::uint64_t*>(at);
  Built built;
  const std::uint64_t count = *word++;
  for (std::uint64_t i = 0; i < count; ++i) {
    built.arguments.emplace_back(reinterpret_cast<const char*>(*word++));
  }
  EXPECT_EQ(*word++, 0U);
  while (*word != 0) {
    built.environment.emplace_back(reinterpret_cast<const char*>(*word++));
  }
  for (++word; *word != AT_NULL; word += 2) {
    built.auxiliary[word[0]] = word[1];
  }
  return built;
}

class StackBuilder : public ::testing::Test {
 protected:
  Result<UserAddress> build(std::uint64_t limit = 128 * 1024) {
    StackContents contents;
    contents.arguments = &arguments_;
    contents.environment = &environment_;
    contents.file_name = "/bin/prog";
    contents.random.fill(std::byte{7});
    contents.auxiliary = auxiliary_;
    const auto top = reinterpret_cast<UserAddress>(memory_.data() + memory_.size());
    return build_stack(top, limit, contents);
  }

  StringBlock arguments_, environment_;
  std::vector<AuxEntry> auxiliary_{{AT_PAGESZ, 4096}, {AT_UID, 12}};
  std::vector<std::byte> memory_ = std::vector<std::byte>(1024 * 1024);
};

TEST_F(StackBuilder, Shows_everything_to_the_program) {
  ASSERT_TRUE(arguments_.append("prog"));
  ASSERT_TRUE(arguments_.append(""));
  ASSERT_TRUE(arguments_.append("two words"));
  ASSERT_TRUE(environment_.append("A=b"));
  const auto at = build();
  ASSERT_TRUE(at);
  EXPECT_EQ(*at % 16, 0U);
  Built built = read_stack(*at);
  EXPECT_EQ(built.arguments, (std::vector<std::string>{"prog", "", "two words"}));
  EXPECT_EQ(built.environment, (std::vector<std::string>{"A=b"}));
  EXPECT_EQ(built.auxiliary[AT_PAGESZ], 4096U);
  EXPECT_EQ(built.auxiliary[AT_UID], 12U);
  EXPECT_STREQ(reinterpret_cast<const char*>(built.auxiliary[AT_EXECFN]), "/bin/prog");
  EXPECT_STREQ(reinterpret_cast<const char*>(built.auxiliary[AT_PLATFORM]), "x86_64");
  EXPECT_EQ(*reinterpret_cast<const std::uint8_t*>(built.auxiliary[AT_RANDOM] + 15), 7);
}

TEST_F(StackBuilder, Stays_aligned_whatever_the_lengths) {
  for (int i = 0; i < 40; ++i) {
    ASSERT_TRUE(arguments_.append(std::string(static_cast<std::size_t>(i), 'x')));
    const auto at = build();
    ASSERT_TRUE(at);
    EXPECT_EQ(*at % 16, 0U);
    EXPECT_EQ(read_stack(*at).arguments.size(), static_cast<std::size_t>(i) + 1);
  }
}

TEST_F(StackBuilder, Too_much_is_E2BIG) {
  ASSERT_TRUE(arguments_.append(std::string(200 * 1024, 'x')));
  const auto at = build();
  ASSERT_FALSE(at);
  EXPECT_EQ(to_int(at.error()), E2BIG);
}

TEST(StringBlock, Copies_a_programs_vector) {
  const std::string longer(1000, 'y');
  const std::array<const char*, 3> vector{"one", longer.c_str(), nullptr};
  StringBlock block;
  ASSERT_TRUE(block.copy_from_program(reinterpret_cast<UserAddress>(vector.data()), 4096));
  EXPECT_EQ(block.count(), 2U);
  EXPECT_EQ(block.first(), "one");
  EXPECT_EQ(block.without_first(), std::string_view(longer.c_str(), 1001));
  StringBlock small;
  const auto result = small.copy_from_program(reinterpret_cast<UserAddress>(vector.data()), 100);
  ASSERT_FALSE(result);
  EXPECT_EQ(to_int(result.error()), E2BIG);
}

TEST(StringBlock, Finds_variables_by_whole_name) {
  StringBlock block;
  ASSERT_TRUE(block.append("PATHS=no"));
  ASSERT_TRUE(block.append("PATH=/bin"));
  EXPECT_EQ(block.find_variable("PATH"), "/bin");
  EXPECT_TRUE(block.find_variable("HOME").empty());
}

}  // namespace
}  // namespace runhl::kernel
