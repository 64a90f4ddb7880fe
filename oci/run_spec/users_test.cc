// SPDX-License-Identifier: Apache-2.0
#include "runhl/run_spec/users.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace runhl::oci {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::string_view kPasswd =
    "root:x:0:0:root:/root:/bin/sh\n"
    "broken line\n"
    "www:x:33:34:web:/var/www:/bin/false\n"
    "1000:x:7:8:a name of digits:/odd:/bin/sh\n"
    "nohome:x:50:50:::";
constexpr std::string_view kGroup = "root:x:0:\nwww:x:34:\nmedia:x:44:root,www\nbad:x:no:www\n";

TEST(Users, Nobody_asked_for_is_root) {
  const auto user = find_user("", kPasswd, kGroup);
  ASSERT_TRUE(user);
  EXPECT_EQ(user->uid, 0U);
  EXPECT_EQ(user->home, "/root");
  EXPECT_THAT(user->additional_gids, ElementsAre(44));
  EXPECT_EQ(find_user("", "", "")->home, "/") << "an image without a passwd";
}

TEST(Users, A_name_has_its_groups_and_home) {
  const auto user = find_user("www", kPasswd, kGroup);
  ASSERT_TRUE(user);
  EXPECT_EQ(user->uid, 33U);
  EXPECT_EQ(user->gid, 34U);
  EXPECT_EQ(user->home, "/var/www");
  EXPECT_THAT(user->additional_gids, ElementsAre(44));
}

TEST(Users, A_group_that_was_asked_for_is_the_only_one) {
  const auto user = find_user("www:media", kPasswd, kGroup);
  ASSERT_TRUE(user);
  EXPECT_EQ(user->gid, 44U);
  EXPECT_THAT(user->additional_gids, IsEmpty());
  EXPECT_EQ(find_user("www:77", kPasswd, kGroup)->gid, 77U);
}

TEST(Users, A_number_needs_no_line_and_a_name_of_digits_comes_first) {
  EXPECT_EQ(find_user("1234", kPasswd, kGroup)->uid, 1234U);
  EXPECT_EQ(find_user("1234", kPasswd, kGroup)->gid, 0U);
  EXPECT_EQ(find_user("33", kPasswd, kGroup)->gid, 34U);
  EXPECT_EQ(find_user("1000", kPasswd, kGroup)->uid, 7U);
  EXPECT_EQ(find_user("nohome", kPasswd, kGroup)->home, "/");
}

TEST(Users, Who_is_not_there_is_named) {
  EXPECT_EQ(find_user("ghost", kPasswd, kGroup).error().message, "the image has no user \"ghost\"");
  EXPECT_EQ(find_user("www:ghosts", kPasswd, kGroup).error().message,
            "the image has no group \"ghosts\"");
  EXPECT_FALSE(find_user("4294967295", kPasswd, kGroup));
  EXPECT_FALSE(find_user("-1", kPasswd, kGroup));
}

}  // namespace
}  // namespace runhl::oci
