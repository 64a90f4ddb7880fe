// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "boot/seed.h"

namespace runhl::boot {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Words = std::vector<std::string>;

SeedOptions parsed(const Words& words) {
  const Result<SeedOptions> options = parse_seed_options(words);
  EXPECT_TRUE(options) << options.error().message;
  return options ? *options : SeedOptions{};
}

std::string refused(const Words& words) {
  const Result<SeedOptions> options = parse_seed_options(words);
  return options ? "accepted" : options.error().message;
}

TEST(SeedOptions, Have_the_defaults_of_the_program_of_that_name) {
  const SeedOptions options = parsed({"k"});
  EXPECT_EQ(options.kernel, "k");
  EXPECT_EQ(options.memory, "512Mi");
  EXPECT_EQ(options.stack, "8Mi");
  EXPECT_FALSE(options.quiet || options.enable_tools || options.net);
  EXPECT_EQ(options.repeat, 0U);
}

TEST(SeedOptions, Are_written_in_one_word_or_two) {
  for (const Words& words :
       {Words{"k", "-m", "1Mi", "-q"}, Words{"-q", "-m1Mi", "k"}, Words{"-m=1Mi", "k", "-q"},
        Words{"--memory=1Mi", "--quiet", "k"}, Words{"k", "--memory", "1Mi", "--quiet"}}) {
    const SeedOptions options = parsed(words);
    EXPECT_EQ(options.memory, "1Mi");
    EXPECT_TRUE(options.quiet);
  }
  EXPECT_EQ(parsed({"k", "--memory="}).memory, "");
  EXPECT_THAT(parsed({"k", "--mount", "a", "--mount=b:/c"}).mounts, ElementsAre("a", "b:/c"));
  EXPECT_THAT(parsed({"k", "--", "-q", "--", "x"}).args, ElementsAre("-q", "--", "x"));
}

TEST(SeedOptions, What_they_cannot_be_is_said_in_the_programs_words) {
  EXPECT_EQ(refused({}), "the following required arguments were not provided: <KERNEL>");
  EXPECT_EQ(refused({"k", "--frob"}), "unexpected argument '--frob' found");
  EXPECT_EQ(refused({"k", "a"}), "unexpected argument 'a' found");
  EXPECT_EQ(refused({"k", "--quiet=1"}), "unexpected argument '--quiet=1' found");
  EXPECT_EQ(refused({"k", "--repeat", "-1"}), "unexpected argument '-1' found");
  EXPECT_EQ(refused({"k", "--repeat", "x"}),
            "invalid value 'x' for '--repeat <REPEAT>': invalid digit found in string");
  EXPECT_EQ(refused({"k", "--port", "70000"}),
            "invalid value '70000' for '--port <PORT>': 70000 is not in 0..=65535");
  EXPECT_THAT(refused({"k", "--initrd"}), HasSubstr("a value is required for '--initrd <INITRD>'"));
  EXPECT_THAT(refused({"k", "-e", "x", "--", "y"}), HasSubstr("cannot be used with '[APP_ARGS]"));
  EXPECT_THAT(refused({"k", "--net-allow", "a", "--net-block", "b"}),
              HasSubstr("cannot be used with"));
}

TEST(SeedOptions, Memory_is_read_as_that_program_does) {
  EXPECT_EQ(*parse_seed_memory(" +16Mi\n"), 16U << 20U);
  EXPECT_EQ(*parse_seed_memory("16M"), 16'000'000U);
  EXPECT_EQ(*parse_seed_memory("0"), 0U);
  EXPECT_EQ(parse_seed_memory("abc").error().message,
            "Invalid memory format: invalid digit found in string");
  EXPECT_EQ(parse_seed_memory("").error().message,
            "Invalid memory format: cannot parse integer from empty string");
  EXPECT_EQ(parse_seed_memory("1.5Mi").error().message, "invalid digit found in string");
  EXPECT_EQ(parse_seed_memory("Mi").error().message, "cannot parse integer from empty string");
  for (const char* bad : {"-1", "16mi", "0x10", "12Xi", "+", "99999999999999Gi", " "}) {
    EXPECT_FALSE(parse_seed_memory(bad)) << bad;
  }
}

TEST(SeedOptions, A_mounts_last_colon_counts_where_a_slash_follows) {
  EXPECT_EQ(parse_seed_mount("w")->guest, "/host");
  EXPECT_EQ(parse_seed_mount("c:/x:/data")->host, "c:/x");
  EXPECT_EQ(parse_seed_mount("w:data")->host, "w:data");
  EXPECT_EQ(parse_seed_mount("w:/host:ro")->host, "w:/host:ro");
  EXPECT_EQ(parse_seed_mount("w:/binary")->guest, "/binary");
  for (const char* bad : {"w:/", "w://x", "w:/bin", "w:/usr/local", "w:/sys/k"}) {
    EXPECT_THAT(parse_seed_mount(bad).error().message, HasSubstr("shadows reserved")) << bad;
  }
}

TEST(SeedOptions, Arguments_are_joined_and_code_is_quoted) {
  EXPECT_EQ(seed_argument_line(parsed({"k", "--", "a", "b c", "", "d"})), "a b c  d");
  EXPECT_EQ(seed_argument_line(parsed({"k", "-e", "p(\"\\n\")"})), "-c \"p(\\\"\\\\n\\\")\"");
  EXPECT_EQ(seed_argument_line(parsed({"k", "-e", ""})), "-c \"\"");
}

}  // namespace
}  // namespace runhl::boot
