// SPDX-License-Identifier: Apache-2.0
#include "runhl/vmm/upstream/guest_channel.h"

#include <gtest/gtest.h>

#include <cstring>

namespace runhl::vmm::upstream {
namespace {

Result<Message> decode(const std::string& bytes) {
  return decode_message(std::as_bytes(std::span(bytes)));
}

TEST(GuestChannel, Carries_messages) {
  auto ends = GuestChannel::create();
  ASSERT_TRUE(ends);
  ASSERT_TRUE(ends->first.send({.step = Step::Ended, .status = 139, .text = "why"}));
  const auto got = ends->second.receive();
  ASSERT_TRUE(got);
  EXPECT_EQ(got->step, Step::Ended);
  EXPECT_EQ(got->status, 139);
  EXPECT_EQ(got->text, "why");
}

TEST(GuestChannel, Does_not_wait_when_asked_not_to) {
  auto ends = GuestChannel::create();
  ASSERT_TRUE(ends);
  const auto nothing = ends->first.receive_now();
  ASSERT_TRUE(nothing);
  EXPECT_FALSE(*nothing);
}

TEST(GuestChannel, Knows_the_other_ends_end) {
  auto ends = GuestChannel::create();
  ASSERT_TRUE(ends);
  ASSERT_TRUE(ends->second.send({.step = Step::Opened, .text = {}}));
  ends->second.close();
  const auto last = ends->first.receive_now();
  ASSERT_TRUE(last && *last);
  EXPECT_EQ((*last)->step, Step::Opened);
  EXPECT_FALSE(ends->first.receive_now());
  EXPECT_FALSE(ends->first.receive());
  EXPECT_FALSE(ends->first.send({.step = Step::Enter, .text = {}}));
}

TEST(GuestChannel, Refuses_what_none_of_ours_sends) {
  const std::string good = encode({.step = Step::Failed, .code = ErrorCode::NotFound, .text = "x"});
  ASSERT_TRUE(decode(good));
  EXPECT_FALSE(decode(""));
  EXPECT_FALSE(decode(good.substr(0, 11)));
  EXPECT_FALSE(decode(good + std::string(kMaxMessageText, 'x')));
  for (const std::size_t at : {0U, 4U}) {  // step and code
    std::string bad = good;
    bad[at] = '\x7f';
    EXPECT_FALSE(decode(bad)) << at;
  }
  std::string status = good;
  status[9] = 1;  // 256
  EXPECT_FALSE(decode(status));
  status[11] = '\xff';
  EXPECT_FALSE(decode(status));
}

TEST(GuestChannel, Text_is_one_line_and_no_longer_than_it_may_be) {
  const auto line = decode(encode({.step = Step::Ended, .text = "a\nb\x1b[31m"}));
  ASSERT_TRUE(line);
  EXPECT_EQ(line->text, "a?b?[31m");
  const auto cut =
      decode(encode({.step = Step::Ended, .text = std::string(2 * kMaxMessageText, 'x')}));
  ASSERT_TRUE(cut);
  EXPECT_EQ(cut->text.size(), kMaxMessageText);
}

}  // namespace
}  // namespace runhl::vmm::upstream
