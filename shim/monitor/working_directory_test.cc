// SPDX-License-Identifier: Apache-2.0
#include "monitor/working_directory.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <filesystem>

namespace runhl::shim {
namespace {

namespace fs = std::filesystem;

TEST(MakeWorkingDirectory, Makes_what_is_missing_and_stays_in_the_rootfs) {
  std::array<char, 32> name{"/tmp/runhl-cwd-XXXXXX"};
  ASSERT_NE(::mkdtemp(name.data()), nullptr);
  const fs::path top = name.data();
  fs::create_directories(top / "rootfs/inside");
  fs::create_directories(top / "outside");
  fs::create_symlink("/inside", top / "rootfs/link");
  fs::create_symlink("../../outside", top / "rootfs/out");
  fs::create_symlink("/nowhere", top / "rootfs/dangling");
  oci::Config config;
  config.root_path = top / "rootfs";
  const auto make = [&](const char* cwd) {
    config.process.cwd = cwd;
    make_working_directory(config);
  };
  make("/a/b/c");
  EXPECT_TRUE(fs::is_directory(top / "rootfs/a/b/c"));
  make("/link/d");
  EXPECT_TRUE(fs::is_directory(top / "rootfs/inside/d"));
  make("/out/d");
  EXPECT_TRUE(fs::is_empty(top / "outside"));
  make("/dangling/d");
  EXPECT_FALSE(fs::exists(top / "rootfs/nowhere"));
  make("/../x");
  EXPECT_FALSE(fs::exists(top / "x"));
  config.mounts.resize(1);
  config.mounts[0].destination = "/data";
  make("/data/x");
  EXPECT_FALSE(fs::exists(top / "rootfs/data"));
  config.root_readonly = true;
  make("/e");
  EXPECT_FALSE(fs::exists(top / "rootfs/e"));
  fs::remove_all(top);
}

}  // namespace
}  // namespace runhl::shim
