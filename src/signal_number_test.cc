// SPDX-License-Identifier: Apache-2.0
#include "signal_number.h"

#include <gtest/gtest.h>

#include <csignal>

namespace runhl {
namespace {

TEST(ParseSignal, Reads_numbers_and_names_in_every_spelling) {
  for (const char* text : {"15", "TERM", "SIGTERM", "sigterm", "Term"}) {
    EXPECT_EQ(parse_signal(text).value_or(-1), SIGTERM) << text;
  }
  EXPECT_EQ(parse_signal("9").value_or(-1), SIGKILL);
  EXPECT_EQ(parse_signal("0").value_or(-1), 0);
  EXPECT_EQ(parse_signal("USR2").value_or(-1), SIGUSR2);
  EXPECT_EQ(parse_signal("64").value_or(-1), 64);
  EXPECT_EQ(parse_signal("RTMIN").value_or(-1), 34);
  EXPECT_EQ(parse_signal("SIGRTMIN+3").value_or(-1), 37);
  EXPECT_EQ(parse_signal("RTMAX-1").value_or(-1), 63);
}

TEST(ParseSignal, Refuses_what_is_none) {
  for (const char* text : {"", "FOO", "-1", "65", "9x", "SIG", "RTMIN+31", "RTMIN-1", "RTMINx",
                           "RTMIN+", "99999999999999999999", "SIGSIGTERM"}) {
    const auto number = parse_signal(text);
    ASSERT_FALSE(number.has_value()) << text;
    EXPECT_EQ(number.error().message, "unknown signal \"" + std::string(text) + "\"");
  }
}

}  // namespace
}  // namespace runhl
