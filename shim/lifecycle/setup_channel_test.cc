// SPDX-License-Identifier: Apache-2.0
#include "lifecycle/setup_channel.h"

#include <gtest/gtest.h>

namespace runhl::shim {
namespace {

TEST(SetupChannel, The_last_word_of_a_peer_that_left_our_message_unread_is_heard) {
  auto ends = SetupChannel::create();
  ASSERT_TRUE(ends.has_value());
  ASSERT_TRUE(ends->first.send(SetupStep::Proceed).has_value());
  {
    SetupChannel peer = std::move(ends->second);
    ASSERT_TRUE(peer.send_failure({ErrorCode::NotFound, 0, "no such bind source"}).has_value());
  }
  const auto got = ends->first.receive();
  ASSERT_FALSE(got.has_value());
  EXPECT_EQ(got.error().message, "no such bind source");
}

TEST(SetupChannel, A_peer_that_ended_without_a_word_was_killed) {
  auto ends = SetupChannel::create();
  ASSERT_TRUE(ends.has_value());
  {
    const SetupChannel peer = std::move(ends->second);
  }
  const auto got = ends->first.receive();
  ASSERT_FALSE(got.has_value());
  EXPECT_EQ(got.error().message, "the container's monitor ended during set-up (killed?)");
}

}  // namespace
}  // namespace runhl::shim
