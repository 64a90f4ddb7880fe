// SPDX-License-Identifier: Apache-2.0
// A granted directory beside a secret, and all ways that we know out of it.
#include "hyperlight/host_files.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>

namespace runhl::vmm::hyperlight {
namespace {

namespace stdfs = std::filesystem;

class HostFilesTest : public ::testing::Test {
 protected:
  HostFilesTest() {
    char name[] = "/tmp/runhl-host-files-XXXXXX";
    top_ = ::mkdtemp(name);
    stdfs::create_directories(top_ / "granted/sub");
    put("secret", "secret");
    put("granted/file", "contents");
    stdfs::create_symlink("file", top_ / "granted/inside");
    stdfs::create_symlink("../secret", top_ / "granted/up");
    stdfs::create_symlink((top_ / "secret").string(), top_ / "granted/absolute");
    stdfs::create_symlink("..", top_ / "granted/parent");
    stdfs::create_symlink("/proc/self/root", top_ / "granted/magic");
    EXPECT_EQ(::mkfifo((top_ / "granted/fifo").c_str(), 0644), 0);
    fd_.reset(::open((top_ / "granted").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    files_ = std::make_unique<HostFiles>(
        std::vector<HostMount>{{fd_.get(), "/data", false}, {fd_.get(), "/ro", true}},
        StatFormat::Times);
  }
  void TearDown() override { stdfs::remove_all(top_); }

  void put(const std::string& name, const std::string& text) { std::ofstream(top_ / name) << text; }
  std::string get(const std::string& name) {
    std::ifstream in(top_ / name);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  static std::int32_t status_of(const Bytes& reply) {
    std::int32_t status = 0;
    std::memcpy(&status, reply.data(), sizeof status);
    return status;
  }
  static std::string text_of(const Bytes& reply) {
    return {reinterpret_cast<const char*>(reply.data()) + 4, reply.size() - 4};
  }
  static Bytes bytes(std::string_view text) {
    const auto span = std::as_bytes(std::span(text));
    return {span.begin(), span.end()};
  }

  stdfs::path top_;
  UniqueFd fd_;
  std::unique_ptr<HostFiles> files_;
};

// Names that lead out of the directory; none of them is served by anything.
constexpr const char* kEscapes[] = {"../secret",        "/etc/passwd",   "up",
                                    "absolute",         "parent/secret", "magic/etc/passwd",
                                    "sub/../../secret", "parent"};

TEST_F(HostFilesTest, Nothing_leads_out_of_the_directory) {
  for (const char* path : kEscapes) {
    EXPECT_EQ(status_of(files_->stat(0, path)), -EACCES) << path;
    EXPECT_EQ(status_of(files_->read(0, path, 0, 100)), -EACCES) << path;
    EXPECT_LT(status_of(files_->list(0, path)), 0) << path;
    EXPECT_EQ(files_->write(0, path, 0, false, bytes("x")), -EACCES) << path;
    EXPECT_EQ(files_->truncate(0, path, 0), -EACCES) << path;
    EXPECT_EQ(files_->change_mode(0, path, 0777), -EACCES) << path;
    EXPECT_EQ(files_->set_times(0, path, {3, 1, 1, 0, 0}), -EACCES) << path;
  }
  for (const char* path : {"up", "absolute", "parent", "magic"}) {
    EXPECT_EQ(status_of(files_->read_link(0, path)), -EACCES) << path;
  }
  EXPECT_EQ(get("secret"), "secret");
}

TEST_F(HostFilesTest, No_name_is_made_or_removed_outside) {
  for (const char* path : {"../new", "parent/new", "sub/../../new", "/tmp/new", "..", "sub/.."}) {
    EXPECT_LT(files_->make_directory(0, path), 0) << path;
    EXPECT_LT(files_->write(0, path, 0, false, bytes("x")), 0) << path;
    EXPECT_LT(files_->make_symlink(0, path, "file"), 0) << path;
    EXPECT_LT(files_->rename(0, "file", path), 0) << path;
    EXPECT_LT(files_->link(0, "file", path), 0) << path;
    EXPECT_LT(files_->unlink(0, path), 0) << path;
  }
  EXPECT_LT(files_->rename(0, "../secret", "mine"), 0);
  EXPECT_LT(files_->link(0, "parent/secret", "mine"), 0);
  EXPECT_LT(files_->unlink(0, "parent/secret"), 0);
  EXPECT_EQ(get("secret"), "secret");
  EXPECT_FALSE(stdfs::exists(top_ / "new"));
  EXPECT_TRUE(stdfs::exists(top_ / "granted/file"));
}

TEST_F(HostFilesTest, A_symlink_to_an_absolute_name_is_not_made) {
  EXPECT_EQ(files_->make_symlink(0, "l", "/etc/passwd"), -EACCES);
  EXPECT_EQ(files_->make_symlink(0, "l", "file"), 0);
  EXPECT_EQ(text_of(files_->read_link(0, "l")), "file");
}

TEST_F(HostFilesTest, Reads_writes_and_follows_links_inside) {
  EXPECT_EQ(text_of(files_->read(0, "file", 0, 100)), "contents");
  EXPECT_EQ(text_of(files_->read(0, "inside", 3, 2)), "te");
  EXPECT_EQ(text_of(files_->read(0, "file", 100, 10)), "");
  EXPECT_EQ(files_->write(0, "file", 8, false, bytes("!")), 1);
  EXPECT_EQ(files_->write(0, "file", 0, true, bytes("?")), 1);
  EXPECT_EQ(get("granted/file"), "contents!?");
  EXPECT_EQ(files_->write(0, "sub/new", 2, false, bytes("x")), 1);
  EXPECT_EQ(get("granted/sub/new"), std::string("\0\0x", 3));
  EXPECT_EQ(files_->truncate(0, "sub/new", 1), 0);
  EXPECT_EQ(get("granted/sub/new").size(), 1U);
  EXPECT_EQ(files_->truncate(0, "nosuch", 1), -ENOENT);
}

TEST_F(HostFilesTest, Names_are_made_moved_and_removed) {
  EXPECT_EQ(files_->make_directory(0, "d"), 0);
  EXPECT_EQ(files_->make_directory(0, "d"), -EEXIST);
  EXPECT_EQ(files_->rename(0, "file", "d/moved"), 0);
  EXPECT_EQ(files_->unlink(0, "d"), -ENOTEMPTY);
  EXPECT_EQ(files_->link(0, "d/moved", "second"), 0);
  EXPECT_EQ(files_->unlink(0, "d/moved"), 0);
  EXPECT_EQ(files_->unlink(0, "d/"), 0);
  EXPECT_EQ(get("granted/second"), "contents");
  EXPECT_EQ(files_->unlink(0, ""), -EBUSY);
}

TEST_F(HostFilesTest, Read_only_mounts_take_nothing) {
  EXPECT_EQ(text_of(files_->read(1, "file", 0, 100)), "contents");
  EXPECT_EQ(files_->write(1, "file", 0, false, bytes("x")), -EROFS);
  EXPECT_EQ(files_->truncate(1, "file", 0), -EROFS);
  EXPECT_EQ(files_->make_directory(1, "d"), -EROFS);
  EXPECT_EQ(files_->unlink(1, "file"), -EROFS);
  EXPECT_EQ(files_->rename(1, "file", "x"), -EROFS);
  EXPECT_EQ(files_->link(1, "file", "x"), -EROFS);
  EXPECT_EQ(files_->make_symlink(1, "x", "file"), -EROFS);
  EXPECT_EQ(files_->change_mode(1, "file", 0), -EROFS);
  EXPECT_EQ(files_->set_times(1, "file", {}), -EROFS);
}

TEST_F(HostFilesTest, Mounts_that_are_none_are_EINVAL) {
  for (const int mount : {-1, 2, 1 << 30}) {
    EXPECT_EQ(status_of(files_->stat(mount, "file")), -EINVAL);
    EXPECT_EQ(files_->unlink(mount, "file"), -EINVAL);
  }
}

TEST_F(HostFilesTest, Attributes_have_the_length_that_the_kernel_wants) {
  EXPECT_EQ(files_->stat(0, "file").size(), 54U);
  EXPECT_EQ(files_->stat(0, "nosuch").size(), 54U);
  const HostFiles older({{fd_.get(), "/data", false}}, StatFormat::Short);
  const Bytes reply = older.stat(0, "sub");
  ASSERT_EQ(reply.size(), 18U);
  EXPECT_EQ(reply[16], std::byte{1});
  EXPECT_EQ(reply[17], std::byte{0});
  EXPECT_EQ(older.stat(0, "nosuch").size(), 18U);
}

TEST_F(HostFilesTest, Modes_and_times_are_the_hosts) {
  EXPECT_EQ(files_->change_mode(0, "file", 04751), 0);
  EXPECT_EQ(files_->set_times(0, "inside", {2, 0, 1234567890, 0, 5}), 0);
  struct stat info{};
  ASSERT_EQ(::stat((top_ / "granted/file").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0751U);  // never set-user-id
  EXPECT_EQ(info.st_mtim.tv_sec, 1234567890);
  EXPECT_EQ(info.st_mtim.tv_nsec, 5);
  EXPECT_EQ(files_->set_times(0, "file", {1, -1, 0, 0, 0}), -EINVAL);
  EXPECT_EQ(files_->set_times(0, "file", {2, 0, 0, 0, 1'000'000'000}), -EINVAL);
  const Bytes reply = files_->stat(0, "file");
  std::uint32_t mode = 0;
  std::memcpy(&mode, reply.data() + 12, sizeof mode);
  EXPECT_EQ(mode, 0751U);
}

TEST_F(HostFilesTest, A_listing_is_sorted_and_complete) {
  const Bytes reply = files_->list(0, "");
  std::uint32_t count = 0;
  std::memcpy(&count, reply.data() + 4, sizeof count);
  EXPECT_EQ(count, 8U);
  EXPECT_LT(text_of(reply).find("file"), text_of(reply).find("inside"));
  EXPECT_EQ(files_->list(0, "nosuch").size(), 8U);
  EXPECT_EQ(status_of(files_->list(0, "file")), -ENOTDIR);
}

TEST_F(HostFilesTest, A_listing_that_does_not_fit_is_refused) {
  for (int i = 0; i < 300; ++i) {
    put(std::string("granted/sub/").append(240, 'n').append(std::to_string(i)), "");
  }
  EXPECT_EQ(status_of(files_->list(0, "sub")), -EOVERFLOW);
}

TEST_F(HostFilesTest, What_is_no_file_has_no_contents_and_makes_nobody_wait) {
  EXPECT_EQ(status_of(files_->read(0, "fifo", 0, 1)), -EACCES);
  EXPECT_LT(files_->write(0, "fifo", 0, false, bytes("x")), 0);
  EXPECT_EQ(status_of(files_->read(0, "sub", 0, 1)), -EISDIR);
}

TEST_F(HostFilesTest, Odd_paths_are_refused) {
  const std::string nul("file\0x", 6);
  EXPECT_EQ(status_of(files_->stat(0, nul)), -EINVAL);
  EXPECT_EQ(files_->unlink(0, nul), -EINVAL);
  EXPECT_EQ(files_->make_symlink(0, "l", nul), -EINVAL);
  EXPECT_EQ(status_of(files_->stat(0, std::string(5000, 'x'))), -ENAMETOOLONG);
  EXPECT_LT(status_of(files_->read(0, "file", ~0ULL, 1)), 0);
  EXPECT_LT(files_->write(0, "file", ~0ULL, false, bytes("x")), 0);
  EXPECT_LT(files_->truncate(0, "file", ~0ULL), 0);
}

TEST_F(HostFilesTest, The_table_is_what_kernels_read) {
  EXPECT_EQ(files_->table(), "0:/data:hostfs:0x0::mkmp 1:/ro:hostfs:0x1::mkmp");
}

}  // namespace
}  // namespace runhl::vmm::hyperlight
