// SPDX-License-Identifier: Apache-2.0
#include "runhl/base/log.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <sstream>

#include "runhl/base/unique_fd.h"

namespace runhl {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;

class LogTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::array<char, 32> name{"/tmp/runhl-log-XXXXXX"};
    const UniqueFd fd{::mkstemp(name.data())};
    ASSERT_TRUE(fd);
    path_ = name.data();
  }
  void TearDown() override {
    ASSERT_TRUE(log_configure({}).has_value());
    ::unlink(path_.c_str());
  }
  std::string content() const {
    const std::ifstream in(path_);
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
  }
  std::string path_;
};

TEST_F(LogTest, Json_line_has_runcs_keys_and_escapes) {
  ASSERT_TRUE(log_configure({.file = path_, .format = LogFormat::Json}).has_value());
  log_warn("a \"{}\"\n{}", "b\\c", 7);
  EXPECT_THAT(content(),
              MatchesRegex("\\{\"level\":\"warning\",\"msg\":\"a \\\\\"b\\\\\\\\c\\\\\"\\\\n7\","
                           "\"time\":\"....-..-..T..:..:..Z\"\\}\n"));
}

TEST_F(LogTest, Text_line_has_runcs_shape) {
  ASSERT_TRUE(log_configure({.file = path_}).has_value());
  log_info("{} of {}", 1U, 2.5);
  EXPECT_THAT(content(),
              MatchesRegex("time=\"....-..-..T..:..:..Z\" level=info msg=\"1 of 2.5\"\n"));
}

TEST_F(LogTest, Lines_are_appended) {
  ASSERT_TRUE(log_configure({.file = path_}).has_value());
  log_info("one");
  ASSERT_TRUE(log_configure({.file = path_}).has_value());
  log_info("two");
  EXPECT_THAT(content(), ::testing::AllOf(HasSubstr("one"), HasSubstr("two")));
}

TEST_F(LogTest, Debug_lines_only_when_asked_for) {
  ASSERT_TRUE(log_configure({.file = path_}).has_value());
  log_debug("hidden");
  EXPECT_EQ(content(), "");
  ASSERT_TRUE(log_configure({.file = path_, .debug = true}).has_value());
  log_debug("seen");
  EXPECT_THAT(content(), HasSubstr("seen"));
}

TEST_F(LogTest, Invalid_utf8_is_replaced) {
  ASSERT_TRUE(log_configure({.file = path_, .format = LogFormat::Json}).has_value());
  log_warn("{}", "x\xff\xc0\xaf y");
  EXPECT_THAT(content(), HasSubstr("x\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd y"));
}

TEST_F(LogTest, A_format_that_does_not_fit_is_logged_as_it_is) {
  ASSERT_TRUE(log_configure({.file = path_}).has_value());
  log_warn("{} {}", 1);
  EXPECT_THAT(content(), HasSubstr("{} {}"));
}

TEST_F(LogTest, An_error_beside_a_file_goes_to_stderr_as_one_bare_line) {
  ASSERT_TRUE(log_configure({.file = path_}).has_value());
  ::testing::internal::CaptureStderr();
  log_error("no\nway");
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "no way\n");
}

TEST(Log, A_file_that_cannot_be_opened_is_named) {
  const auto opened = log_configure({.file = "/nonexistent/log.json"});
  ASSERT_FALSE(opened.has_value());
  EXPECT_THAT(opened.error().message,
              HasSubstr("/nonexistent/log.json: No such file or directory"));
}

}  // namespace
}  // namespace runhl
