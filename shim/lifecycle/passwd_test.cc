// SPDX-License-Identifier: Apache-2.0
#include "lifecycle/passwd.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace runhl::shim {
namespace {

using ::testing::ElementsAre;

TEST(HomeInPasswd, Finds_the_uid_and_survives_bad_lines) {
  constexpr std::string_view kText =
      "root:x:0:0::/root:/bin/sh\n\nbroken\n:::\nx:x:7\nweb:x:33:33:www:/var/www:/x\nn:x:5:5:::";
  EXPECT_EQ(home_in_passwd(kText, 0), "/root");
  EXPECT_EQ(home_in_passwd(kText, 33), "/var/www");
  EXPECT_EQ(home_in_passwd(kText, 5), "/");
  EXPECT_EQ(home_in_passwd(kText, 7), "/");
  EXPECT_EQ(home_in_passwd(kText, 1000), "/");
  EXPECT_EQ(home_in_passwd("", 0), "/");
  EXPECT_EQ(name_in_passwd(kText, 33), "web");
  EXPECT_EQ(name_in_passwd(kText, 34), "");
}

TEST(AddHome, Keeps_a_given_one_and_never_leaves_the_rootfs) {
  std::array<char, 32> name{"/tmp/runhl-home-XXXXXX"};
  ASSERT_NE(::mkdtemp(name.data()), nullptr);
  const std::string rootfs = std::string(name.data()) + "/rootfs";
  std::filesystem::create_directories(rootfs + "/etc");
  std::ofstream(std::string(name.data()) + "/outside") << "u:x:5:5::/outside:\n";
  std::filesystem::create_symlink("../../outside", rootfs + "/etc/passwd");

  std::vector<std::string> env{"HOME=/given"};
  add_home(rootfs, 5, &env);
  EXPECT_THAT(env, ElementsAre("HOME=/given"));
  env = {"A=B", "HOME="};
  add_home(rootfs, 5, &env);
  EXPECT_THAT(env, ElementsAre("A=B", "HOME=/"));

  std::filesystem::remove(rootfs + "/etc/passwd");
  std::ofstream(rootfs + "/etc/passwd") << "u:x:5:5::/inside:\n";
  env.clear();
  add_home(rootfs, 5, &env);
  EXPECT_THAT(env, ElementsAre("HOME=/inside"));
  std::filesystem::remove_all(name.data());
}

}  // namespace
}  // namespace runhl::shim
