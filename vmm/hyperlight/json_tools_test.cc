// SPDX-License-Identifier: Apache-2.0
#include "hyperlight/json_tools.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hyperlight/base64.h"
#include "hyperlight/file_tools.h"
#include "hyperlight/guest_tools.h"
#include "hyperlight/host_sockets.h"
#include "hyperlight/socket_tools.h"
#include "runhl/base/file_io.h"

namespace runhl::vmm::hyperlight {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::uint64_t kMost = 4096;

class JsonToolsTest : public ::testing::Test {
 protected:
  JsonToolsTest() {
    add_tools(&tools_, {&code_,
                        [this](std::uint64_t ns) -> Result<void> {
                          slept_ = ns;
                          return {};
                        },
                        nullptr, nullptr, true});
  }
  std::string dispatch(std::string_view request) {
    return std::string(as_text(tools_.dispatch(std::as_bytes(std::span(request)))));
  }

  std::optional<int> code_;
  std::uint64_t slept_ = 0;
  JsonTools tools_{kMost};
};

TEST_F(JsonToolsTest, Answers_with_a_result_whose_keys_are_sorted) {
  EXPECT_EQ(dispatch(R"({"name":"echo","args":{"b":1,"a":[1,2.5,null,true,"x\u0000é\/"]}})"),
            R"({"result":{"a":[1,2.5,null,true,"x\u0000é/"],"b":1}})");
  EXPECT_EQ(dispatch(R"({"name":"echo"})"), R"({"result":null})");
  EXPECT_EQ(dispatch(R"({ "args" : 123456789012345678901234567890, "name" : "echo" })"),
            R"({"result":1.2345678901234568e+29})");
  EXPECT_EQ(dispatch(R"({"name":"echo","args":18446744073709551615})"),
            R"({"result":18446744073709551615})");
}

TEST_F(JsonToolsTest, Says_what_is_wrong_with_a_request) {
  for (const char* nameless : {"[]", "\"echo\"", "{}", R"({"name":7})", R"({"name":null})", "1"}) {
    EXPECT_EQ(dispatch(nameless), R"({"error":"missing 'name'"})") << nameless;
  }
  EXPECT_EQ(dispatch(R"({"name":"Echo"})"), R"({"error":"unknown tool: Echo"})");
  EXPECT_EQ(dispatch(R"({"name":"echo","args":1,"name":"nope"})"),
            R"({"error":"unknown tool: nope"})");
  EXPECT_EQ(dispatch(""), R"({"error":"EOF while parsing a value at line 1 column 0"})");
  EXPECT_EQ(dispatch(R"({"name":"echo","args":1} trailing)"),
            R"({"error":"trailing characters at line 1 column 26"})");
  EXPECT_EQ(dispatch(R"({"name":"echo","args":"\ud83d"})"),
            R"({"error":"unexpected end of hex escape at line 1 column 30"})");
  EXPECT_THAT(dispatch("\xff"), HasSubstr("error"));
  EXPECT_THAT(dispatch("{\"name\":\"\xff\"}"), HasSubstr("invalid unicode code point"));
  EXPECT_THAT(dispatch(R"({"name":"echo","args":1e999})"), HasSubstr("number out of range"));
}

TEST_F(JsonToolsTest, Refuses_what_is_nested_deeper_than_upstream_goes) {
  const std::string fine(120, '['), end(120, ']');
  EXPECT_THAT(dispatch(R"({"name":"echo","args":)" + fine + end + "}"), HasSubstr("result"));
  EXPECT_THAT(dispatch(R"({"name":"echo","args":)" + std::string(100'000, '[')),
              HasSubstr("recursion limit exceeded"));
  EXPECT_THAT(dispatch(R"({"name":"echo","args":")" + std::string(1000, '[') + "\"}"),
              HasSubstr("result"));
}

TEST_F(JsonToolsTest, A_reply_that_the_guest_does_not_take_becomes_an_error_that_it_does) {
  const std::string reply =
      dispatch(R"({"name":"echo","args":")" + std::string(kMost, 'A') + "\"}");
  EXPECT_THAT(reply, HasSubstr(R"({"error":"a reply of )"));
  EXPECT_LT(reply.size(), kMost);
}

TEST_F(JsonToolsTest, The_exit_status_is_kept_and_is_1_where_it_is_none) {
  EXPECT_EQ(dispatch(R"({"name":"__hl_exit","args":{"code":7}})"), R"({"result":{}})");
  EXPECT_EQ(code_, 7);
  for (const char* none : {"", R"(,"args":{"code":"7"})", R"(,"args":{"code":1.5})",
                           R"(,"args":{"code":9223372036854775808})"}) {
    dispatch(std::string(R"({"name":"__hl_exit")") + none + "}");
    EXPECT_EQ(code_, 1) << none;
  }
  dispatch(R"({"name":"__hl_exit","args":{"code":4294967296}})");
  EXPECT_EQ(code_, 0);
  dispatch(R"({"name":"__hl_exit","args":{"code":-1}})");
  EXPECT_EQ(code_, -1);
}

TEST_F(JsonToolsTest, Sleeps_a_minute_at_most) {
  EXPECT_EQ(dispatch(R"({"name":"__hl_sleep","args":{"ns":2000000}})"), R"({"result":{}})");
  EXPECT_EQ(slept_, 2'000'000U);
  dispatch(R"({"name":"__hl_sleep","args":{"ns":99999999999999}})");
  EXPECT_EQ(slept_, 60'000'000'000U);
  dispatch(R"({"name":"__hl_sleep","args":{"ns":-5}})");
  EXPECT_EQ(slept_, 0U);
}

TEST(GuestTools, A_guest_without_grants_has_no_files_sockets_or_tools) {
  JsonTools tools(kMost);
  add_tools(&tools, {});
  EXPECT_THAT(tools.names(), ElementsAre("__hl_exit", "__hl_sleep"));
}

TEST(GuestTools, Each_grant_gives_its_own) {
  const MountedFiles files({});
  HostSockets host(nullptr);
  SocketTools sockets(&host, nullptr, [] { return false; });
  JsonTools with_files(kMost), with_sockets(kMost), with_echo(kMost);
  add_tools(&with_files, {nullptr, {}, &files, nullptr, false});
  add_tools(&with_sockets, {nullptr, {}, nullptr, &sockets, false});
  add_tools(&with_echo, {nullptr, {}, nullptr, nullptr, true});
  EXPECT_EQ(with_files.names().size(), 2U + 9U);
  EXPECT_THAT(with_files.names(), Contains("fs_truncate"));
  EXPECT_EQ(with_sockets.names().size(), 2U + 15U);
  EXPECT_THAT(with_sockets.names(), Contains("net_getsockopt"));
  EXPECT_THAT(with_echo.names(), ElementsAre("__hl_exit", "__hl_sleep", "echo"));
}

TEST(GuestTools, An_embedders_functions_are_tools) {
  const std::vector<HostCall> own = {
      {"twice",
       [](std::string_view args) {
         return Result<std::string>("[" + std::string(args) + "," + std::string(args) + "]");
       }},
      {"fails", [](std::string_view) { return Result<std::string>(fail(ErrorCode::Io, "no")); }},
      {"talks", [](std::string_view) { return Result<std::string>("hello"); }}};
  JsonTools tools(kMost);
  ToolServices services;
  services.own = &own;
  add_tools(&tools, services);
  const auto ask = [&tools](std::string_view request) {
    return std::string(as_text(tools.dispatch(std::as_bytes(std::span(request)))));
  };
  EXPECT_EQ(ask(R"({"name":"twice","args":{"b":1,"a":2}})"),
            R"({"result":[{"a":2,"b":1},{"a":2,"b":1}]})");
  EXPECT_EQ(ask(R"({"name":"fails"})"), R"({"error":"fails: no"})");
  EXPECT_THAT(ask(R"({"name":"talks"})"), HasSubstr("talks: it prints no JSON"));
}

TEST(ResultOfProgram, Is_what_it_prints_or_what_that_wraps) {
  EXPECT_EQ(*result_of_program(" {\"b\": 1, \"a\": [ ]}\n"), R"({"a":[],"b":1})");
  EXPECT_EQ(*result_of_program(R"({"result":7})"), "7");
  EXPECT_EQ(*result_of_program(R"({"result":7,"more":1})"), R"({"more":1,"result":7})");
  EXPECT_EQ(*result_of_program("\n"), "null");
  EXPECT_EQ(result_of_program(R"({"error":"full"})").error().message, "full");
  EXPECT_EQ(*result_of_program(R"({"error":7})"), R"({"error":7})");
  EXPECT_FALSE(result_of_program("no"));
  EXPECT_FALSE(result_of_program("1 2"));
}

TEST(RustQuoted, Is_what_upstreams_messages_have) {
  EXPECT_EQ(rust_quoted(std::string_view("a\0b", 3)), R"("a\0b")");
  EXPECT_EQ(rust_quoted("q\"\\\t\n\r\x1b é"), R"("q\"\\\t\n\r\u{1b} é")");
}

TEST(Base64, Goes_there_and_back) {
  for (const std::string_view text :
       {"", "f", "fo", "foo", "foob", "fooba", "foobar", "\xff\xfe"}) {
    EXPECT_EQ(*from_base64(to_base64(text)), text);
  }
  EXPECT_EQ(to_base64("\xff\xfex"), "//54");
}

TEST(Base64, Says_what_it_cannot_read_in_upstreams_words) {
  const auto of = [](std::string_view text) { return from_base64(text).error().message; };
  EXPECT_EQ(of("eA"), "Invalid padding");
  EXPECT_EQ(of("e A=="), "Invalid symbol 32, offset 1.");
  EXPECT_EQ(of("_-=="), "Invalid symbol 95, offset 0.");
  EXPECT_EQ(of("*"), "Invalid symbol 42, offset 0.");
  EXPECT_EQ(of("eB=="), "Invalid last symbol 66, offset 1.");
  EXPECT_EQ(of("eHh4e"), "Invalid input length: 5");
  EXPECT_FALSE(from_base64("eA==="));
  EXPECT_FALSE(from_base64("="));
}

}  // namespace
}  // namespace runhl::vmm::hyperlight
