// SPDX-License-Identifier: Apache-2.0
#include "runhl/initrd/cache.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <thread>
#include <vector>

namespace runhl::initrd {
namespace {

namespace stdfs = std::filesystem;

class CacheTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = "/tmp/runhl-cache-test.XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    top_ = name;
    stdfs::create_directories(top_ + "/tree/bin");
    write("bin/sh", "program");
    root_.reset(::open((top_ + "/tree").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    ASSERT_TRUE(root_);
  }
  void TearDown() override { stdfs::remove_all(top_); }

  void write(const std::string& path, const std::string& text) const {
    std::ofstream(top_ + "/tree/" + path) << text;
  }
  [[nodiscard]] Cache cache() const { return Cache::open(top_ + "/a/cache").value(); }
  [[nodiscard]] Manifest manifest() const { return directory_manifest(root_.get()).value(); }
  [[nodiscard]] std::size_t entries() const {
    std::size_t count = 0;
    for (const auto& entry : stdfs::directory_iterator(top_ + "/a/cache")) {
      (void)entry;
      ++count;
    }
    return count;
  }

  std::string top_;
  UniqueFd root_;
};

TEST_F(CacheTest, What_was_made_is_found_again) {
  EXPECT_FALSE(cache().find(manifest()).value());
  const UniqueFd made = cache().add(root_.get()).value();
  ASSERT_TRUE(made);
  const UniqueFd found = cache().find(manifest()).value();
  ASSERT_TRUE(found);
  struct stat a{}, b{};
  ASSERT_EQ(::fstat(made.get(), &a) + ::fstat(found.get(), &b), 0);
  EXPECT_EQ(a.st_ino, b.st_ino);
  EXPECT_EQ(entries(), 2U) << "no lock, no temporary file";
}

TEST_F(CacheTest, No_change_goes_unnoticed) {
  const std::vector<std::function<void()>> changes{
      [&] { write("bin/sh", "PROGRAM"); },  // the same size
      [&] { write("bin/new", ""); },
      [&] { stdfs::remove(top_ + "/tree/bin/new"); },
      [&] { stdfs::rename(top_ + "/tree/bin/sh", top_ + "/tree/bin/bash"); },
      [&] { ::chmod((top_ + "/tree/bin").c_str(), 0700); },
      [&] { stdfs::create_symlink("a", top_ + "/tree/link"); },
  };
  for (const auto& change : changes) {
    ASSERT_TRUE(cache().add(root_.get()));
    ASSERT_TRUE(cache().find(manifest()).value());
    change();
    EXPECT_FALSE(cache().find(manifest()).value());
  }
}

TEST_F(CacheTest, Several_callers_make_it_once) {
  std::vector<ino_t> inodes(8);
  {
    std::vector<std::jthread> callers;
    for (ino_t& inode : inodes) {
      callers.emplace_back([this, &inode] {
        const Result<UniqueFd> archive = cache().add(root_.get());
        struct stat info{};
        if (archive && ::fstat(archive->get(), &info) == 0) {
          inode = info.st_ino;
        }
      });
    }
  }
  for (const ino_t inode : inodes) {
    EXPECT_NE(inode, 0U);
    EXPECT_EQ(inode, inodes.front());
  }
}

TEST_F(CacheTest, A_manifest_that_differs_vouches_for_nothing) {
  ASSERT_TRUE(cache().add(root_.get()));
  std::ofstream(top_ + "/a/cache/" + manifest().key() + ".manifest") << "something else";
  EXPECT_FALSE(cache().find(manifest()).value());
}

TEST_F(CacheTest, The_longest_unused_goes_first) {
  ASSERT_TRUE(cache().add(root_.get()));
  const Manifest old = manifest();
  write("bin/sh", "another program");
  ASSERT_TRUE(cache().add(root_.get()));
  const std::string newer = top_ + "/a/cache/" + manifest().key() + ".manifest";
  constexpr std::array<timespec, 2> kLongAgo{
      {{.tv_sec = 1, .tv_nsec = 0}, {.tv_sec = 1, .tv_nsec = 0}}};
  ASSERT_EQ(::utimensat(AT_FDCWD, newer.c_str(), kLongAgo.data(), 0), 0);
  ASSERT_TRUE(cache().find(old).value()) << "used last";
  const std::uint64_t one = cache().prune(~0ULL).value();
  EXPECT_EQ(one, 0U);
  ASSERT_GT(cache().prune(20'000).value(), 0U);
  EXPECT_TRUE(cache().find(old).value());
  EXPECT_FALSE(cache().find(manifest()).value());
  ASSERT_GT(cache().prune(0).value(), 0U);
  EXPECT_EQ(entries(), 0U);
}

TEST_F(CacheTest, What_a_kill_left_goes_with_the_next_prune) {
  const std::string dir = cache().directory();
  std::ofstream(dir + "/0123.lock") << "";
  std::ofstream(dir + "/0123.cpio") << "never vouched for";
  std::ofstream(dir + "/held.lock") << "";
  std::ofstream(dir + "/held.cpio") << "being made";
  const UniqueFd held(::open((dir + "/held.lock").c_str(), O_RDWR | O_CLOEXEC));
  ASSERT_EQ(::flock(held.get(), LOCK_EX), 0);
  EXPECT_EQ(cache().prune(0).value(), 0U);
  EXPECT_EQ(entries(), 2U) << "what somebody makes stays";
  EXPECT_TRUE(stdfs::exists(dir + "/held.cpio"));
}

TEST_F(CacheTest, What_was_just_made_stays_however_large_it_is) {
  const UniqueFd older = cache().add(root_.get()).value();
  std::ofstream(top_ + "/tree/bin/more") << "more";
  const UniqueFd made = cache().add(root_.get()).value();
  EXPECT_GT(cache().prune(1, made.get()).value(), 0U);
  EXPECT_TRUE(cache().find(manifest()).value());
  EXPECT_EQ(entries(), 2U) << "an archive and its manifest";
}

TEST_F(CacheTest, A_directory_that_others_may_write_is_refused) {
  stdfs::create_directories(top_ + "/open");
  ::chmod((top_ + "/open").c_str(), 0777);
  EXPECT_EQ(Cache::open(top_ + "/open").error().code, ErrorCode::Permission);
}

TEST_F(CacheTest, An_unreadable_file_is_named) {
  if (::geteuid() == 0) {
    GTEST_SKIP() << "root reads everything";
  }
  ::chmod((top_ + "/tree/bin/sh").c_str(), 0);
  const Result<UniqueFd> made = cache().add(root_.get());
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().message, "bin/sh: Permission denied");
}

}  // namespace
}  // namespace runhl::initrd
