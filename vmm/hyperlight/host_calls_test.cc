// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "hyperlight/host_services.h"
#include "runhl/abi/hyperlight.h"
#include "runhl/base/file_io.h"

namespace runhl::vmm::hyperlight {
namespace {

using ::testing::HasSubstr;

class HostCallsTest : public ::testing::Test {
 protected:
  HostCallsTest() { add_host_calls(&functions_, &calls_); }
  void add(std::string name, std::function<Result<std::string>(std::string_view)> run) {
    calls_.push_back({std::move(name), std::move(run)});
  }
  /// The tag as a digit, and the text.
  std::string ask(const std::string& name, std::string_view arguments) {
    const auto* const begin = reinterpret_cast<const std::byte*>(arguments.data());
    const Result<Value> value =
        functions_.call({"HostCall", {name, Bytes(begin, begin + arguments.size())}});
    if (!value) {
      return value.error().message;
    }
    const Bytes& bytes = std::get<Bytes>(*value);
    return std::to_string(std::to_integer<int>(bytes.at(0))) +
           std::string(as_text(std::span(bytes).subspan(1)));
  }

  std::vector<HostCall> calls_;
  HostFunctions functions_;
};

TEST_F(HostCallsTest, Answer_comes_back) {
  add("echo", [](std::string_view arguments) { return "<" + std::string(arguments) + ">"; });
  EXPECT_EQ(ask("echo", "[1, 2]"), "0<[1, 2]>");
  EXPECT_EQ(ask("echo", ""), "0<>");
}

TEST_F(HostCallsTest, Error_is_told) {
  add("fails", [](std::string_view) { return fail(ErrorCode::NotFound, "nothing there"); });
  EXPECT_EQ(ask("fails", ""), "1nothing there");
}

TEST_F(HostCallsTest, Unknown_name_is_an_error_with_the_start_of_it) {
  EXPECT_EQ(ask("nosuch", ""), "1no host function \"nosuch\"");
  EXPECT_LT(ask(std::string(60'000, 'x'), "").size(), 200U);
}

TEST_F(HostCallsTest, Empty_name_lists_them) {
  EXPECT_EQ(ask("", ""), "0");
  add("one", [](std::string_view) { return std::string(); });
  add("two", [](std::string_view) { return std::string(); });
  EXPECT_EQ(ask("", ""), "0one\ntwo");
}

TEST_F(HostCallsTest, Arguments_that_are_no_text_do_not_reach_a_function) {
  bool called = false;
  add("takes-text", [&called](std::string_view) {
    called = true;
    return std::string();
  });
  EXPECT_THAT(ask("takes-text", "\xff"), HasSubstr("1takes-text: arguments that are not UTF-8"));
  EXPECT_FALSE(called);
}

TEST_F(HostCallsTest, Answer_as_large_as_a_message_fits_and_no_larger) {
  std::size_t size = abi::hyperlight::kMaxPayload - 1;
  add("big", [&size](std::string_view) { return std::string(size, 'x'); });
  EXPECT_EQ(ask("big", "").size(), abi::hyperlight::kMaxPayload);
  ++size;
  EXPECT_THAT(ask("big", ""), HasSubstr("1big: an answer of 69620 bytes; 69619 fit"));
}

TEST_F(HostCallsTest, Error_as_large_as_a_message_is_cut) {
  add("fails", [](std::string_view) { return fail(ErrorCode::Io, std::string(80'000, 'x')); });
  EXPECT_EQ(ask("fails", "").size(), abi::hyperlight::kMaxPayload);
}

/// What a guest says of a call that it was given.
class EventsTest : public ::testing::Test {
 protected:
  EventsTest() { add_event_functions(&functions_, &events_); }
  void say(const std::string& name, std::vector<Value> parameters) {
    const Result<Value> value = functions_.call({name, std::move(parameters)});
    EXPECT_TRUE(value) << value.error().message;
  }
  static Bytes bytes(std::string_view text) {
    const auto span = std::as_bytes(std::span(text));
    return {span.begin(), span.end()};
  }

  Events events_;
  HostFunctions functions_;
};

TEST_F(EventsTest, Done_has_status_and_result) {
  say("CallStarted", {});
  EXPECT_FALSE(events_.done);
  say("CallDone", {std::int32_t{-3}, bytes(std::string_view("a\0b", 3))});
  ASSERT_TRUE(events_.done);
  EXPECT_EQ(events_.done->status, -3);
  EXPECT_EQ(events_.done->result, std::string("a\0b", 3));
}

TEST_F(EventsTest, Yield_may_have_the_result) {
  constexpr std::int32_t kRuns = 1, kReturned = 2;
  say("Yield", {std::uint64_t{5}, kRuns, std::int32_t{0}, Bytes()});
  EXPECT_FALSE(events_.done);
  EXPECT_EQ(events_.yielded_ns, 5U);
  say("Yield", {std::uint64_t{0}, kReturned, std::int32_t{4}, bytes("x")});
  ASSERT_TRUE(events_.done);
  EXPECT_EQ(events_.done->status, 4);
  EXPECT_EQ(events_.done->result, "x");
}

TEST_F(EventsTest, Call_that_nobody_reads_is_rejected) {
  say("CallRejected", {});
  EXPECT_TRUE(events_.rejected);
  EXPECT_FALSE(events_.done);
}

}  // namespace
}  // namespace runhl::vmm::hyperlight
