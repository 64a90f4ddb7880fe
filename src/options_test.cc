// SPDX-License-Identifier: Apache-2.0
#include "options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace runhl {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Parsed {
  std::string bundle, id;
  bool detach = false;
  unsigned count = 0;
  std::vector<std::string> rest;
};

Result<bool> parse(const std::vector<std::string>& args, Parsed* out) {
  Options options("runhl test", "help");
  options.value("-b,--bundle", "h", &out->bundle);
  options.flag("-d,--detach", "h", &out->detach);
  options.count("--preserve-fds", "h", &out->count);
  options.positional("container-id", "h", &out->id, Presence::Required);
  return options.parse(args);
}

TEST(Options, Every_form_that_engines_write) {
  const std::vector<std::vector<std::string>> forms = {
      {"--bundle", "/b", "c1"}, {"--bundle=/b", "c1"}, {"-b", "/b", "c1"}, {"-b=/b", "c1"},
      {"-bundle", "/b", "c1"},  {"-bundle=/b", "c1"},  {"c1", "-b", "/b"}, {"c1", "--bundle=/b"}};
  for (const auto& form : forms) {
    Parsed parsed;
    const auto result = parse(form, &parsed);
    ASSERT_TRUE(result.has_value()) << result.error().message;
    EXPECT_EQ(parsed.bundle, "/b");
    EXPECT_EQ(parsed.id, "c1");
    EXPECT_FALSE(parsed.detach);
  }
  Parsed parsed;
  ASSERT_TRUE(parse({"-d", "--preserve-fds", "3", "--", "-c1"}, &parsed).has_value());
  EXPECT_TRUE(parsed.detach);
  EXPECT_EQ(parsed.count, 3U);
  EXPECT_EQ(parsed.id, "-c1");
  Parsed together;
  ASSERT_TRUE(parse({"-db/b", "c1"}, &together).has_value());
  EXPECT_TRUE(together.detach);
  EXPECT_EQ(together.bundle, "/b");
}

TEST(Options, A_value_may_look_like_anything) {
  Parsed parsed;
  ASSERT_TRUE(parse({"--bundle", "--detach", "-b=a=b", "-"}, &parsed).has_value());
  EXPECT_EQ(parsed.bundle, "a=b");  // the last one
  EXPECT_EQ(parsed.id, "-");
  EXPECT_FALSE(parsed.detach);
  ASSERT_TRUE(parse({"--bundle=", "--detach=false", "c1"}, &parsed).has_value());
  EXPECT_EQ(parsed.bundle, "");
  EXPECT_FALSE(parsed.detach);
}

TEST(Options, Help_says_what_there_is) {
  std::string text;
  bool flag = false;
  Options options("runhl test", "Does a thing.");
  options.value("-b,--bundle", "a directory", &text);
  options.flag("--all", "all of them", &flag);
  options.positional("id", "a name", &text, Presence::Required);
  options.positional("signal", "a number", &text, Presence::Optional);
  options.footer("More.\n");
  EXPECT_EQ(options.help(),
            "Does a thing.\n"
            "Usage: runhl test [OPTIONS] id [signal]\n\n"
            "Arguments:\n"
            "  id                          a name\n"
            "  signal                      a number\n\n"
            "Options:\n"
            "  -h,--help                   print this help and exit\n"
            "  -b,--bundle TEXT            a directory\n"
            "  --all                       all of them\n\n"
            "More.\n");
}

TEST(Options, Wrong_ones_are_one_line) {
  for (const std::vector<std::string>& args :
       std::vector<std::vector<std::string>>{{},
                                             {"c1", "c2"},
                                             {"--bogus", "c1"},
                                             {"--bund", "/b", "c1"},
                                             {"-x", "c1"},
                                             {"-dx", "c1"},
                                             {"--detach=perhaps", "c1"},
                                             {"--preserve-fds", "4294967296", "c1"},
                                             {"c1", "--bundle"},
                                             {"--preserve-fds", "x", "c1"},
                                             {"--preserve-fds", "-1", "c1"}}) {
    Parsed parsed;
    const auto result = parse(args, &parsed);
    ASSERT_FALSE(result.has_value());
    EXPECT_THAT(result.error().message, HasSubstr("runhl test: "));
    EXPECT_EQ(result.error().message.find('\n'), std::string::npos);
  }
}

TEST(Options, A_prefix_ends_at_the_verb) {
  const auto parse_globals = [](const std::vector<std::string>& args, Parsed* out) {
    Options options("runhl", "help");
    options.value("--root", "h", &out->bundle);
    options.flag("--debug", "h", &out->detach);
    return options.parse_prefix(args, &out->rest);
  };
  Parsed parsed;
  ASSERT_TRUE(
      parse_globals({"-root=/r", "--debug", "kill", "--all", "--root", "x", "-root", "--", "9"},
                    &parsed)
          .has_value());
  EXPECT_EQ(parsed.bundle, "/r");
  EXPECT_TRUE(parsed.detach);
  EXPECT_THAT(parsed.rest, ElementsAre("kill", "--all", "--root", "x", "-root", "--", "9"));
  Parsed other;
  const auto unknown = parse_globals({"--bogus", "kill"}, &other);
  ASSERT_FALSE(unknown.has_value());
  EXPECT_THAT(unknown.error().message, HasSubstr("--bogus"));
}

}  // namespace
}  // namespace runhl
