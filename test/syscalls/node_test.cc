// SPDX-License-Identifier: Apache-2.0
// Names of all kinds: mknod, links, rename's flags, O_PATH, statx, what is seen after a change.
#include <linux/fs.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <array>
#include <string>

#include "syscall_test.h"

namespace {

class Node : public FileTest {
 protected:
  static mode_t mode_of(const std::string& path) {
    struct stat status{};
    return ::lstat(path.c_str(), &status) == 0 ? status.st_mode : 0;
  }
};
INSTANTIATE_ON_FILE_SYSTEMS(Node);

TEST_P(Node, Mknod_makes_fifos_sockets_and_files) {
  const mode_t umask = ::umask(022);
  EXPECT_THAT(::mknod(path("fifo").c_str(), S_IFIFO | 0666, 0), Succeeds());
  EXPECT_EQ(mode_of(path("fifo")), mode_t{S_IFIFO | 0644});
  EXPECT_THAT(::mknod(path("socket").c_str(), S_IFSOCK | 0600, 0), Succeeds());
  EXPECT_EQ(mode_of(path("socket")), mode_t{S_IFSOCK | 0600});
  EXPECT_THAT(::mknod(path("file").c_str(), 0600, 0), Succeeds());
  EXPECT_EQ(mode_of(path("file")), mode_t{S_IFREG | 0600});
  EXPECT_THAT(::mknod(path("file").c_str(), S_IFIFO | 0600, 0), FailsWith(EEXIST));
  EXPECT_THAT(::mknod(path("d").c_str(), S_IFDIR | 0700, 0), FailsWith(EPERM));
  EXPECT_THAT(::mknod(path("l").c_str(), S_IFLNK | 0700, 0), FailsWith(EINVAL));
  ::umask(umask);
}

TEST_P(Node, Devices_take_the_capability) {
  if (::geteuid() == 0) {
    GTEST_SKIP() << "for an ordinary user";
  }
  EXPECT_THAT(::mknod(path("null").c_str(), S_IFCHR | 0600, makedev(1, 3)), FailsWith(EPERM));
}

TEST_P(Node, Rename_exchanges_and_refuses_to_replace) {
  make_file("a", "a");
  make_file("b", "b");
  EXPECT_THAT(
      ::renameat2(AT_FDCWD, path("a").c_str(), AT_FDCWD, path("b").c_str(), RENAME_NOREPLACE),
      FailsWith(EEXIST));
  EXPECT_THAT(
      ::renameat2(AT_FDCWD, path("a").c_str(), AT_FDCWD, path("b").c_str(), RENAME_EXCHANGE),
      Succeeds());
  EXPECT_EQ(content_of(path("a")), "b");
  EXPECT_EQ(content_of(path("b")), "a");
  EXPECT_THAT(
      ::renameat2(AT_FDCWD, path("a").c_str(), AT_FDCWD, path("none").c_str(), RENAME_EXCHANGE),
      FailsWith(ENOENT));
  EXPECT_THAT(::renameat2(AT_FDCWD, path("a").c_str(), AT_FDCWD, path("c").c_str(),
                          RENAME_EXCHANGE | RENAME_NOREPLACE),
              FailsWith(EINVAL));
}

TEST_P(Node, Own_changes_are_seen_at_once) {
  struct stat status{};
  EXPECT_THAT(::stat(path("a").c_str(), &status), FailsWith(ENOENT));
  const Fd file = make_file("a", "12345");
  ASSERT_THAT(::stat(path("a").c_str(), &status), Succeeds());
  EXPECT_EQ(status.st_size, 5);
  EXPECT_THAT(::link(path("a").c_str(), path("b").c_str()), Succeeds());
  ASSERT_THAT(::stat(path("a").c_str(), &status), Succeeds());
  EXPECT_EQ(status.st_nlink, 2U);
  EXPECT_THAT(::chmod(path("b").c_str(), 0640), Succeeds());
  EXPECT_EQ(mode_of(path("a")) & 07777, 0640U);
  EXPECT_THAT(::truncate(path("b").c_str(), 2), Succeeds());
  ASSERT_THAT(::fstat(file.get(), &status), Succeeds());
  EXPECT_EQ(status.st_size, 2);
  EXPECT_THAT(::rename(path("b").c_str(), path("c").c_str()), Succeeds());
  EXPECT_THAT(::access(path("b").c_str(), F_OK), FailsWith(ENOENT));
  EXPECT_THAT(::access(path("c").c_str(), F_OK), Succeeds());
  EXPECT_THAT(::unlink(path("c").c_str()), Succeeds());
  EXPECT_THAT(::access(path("c").c_str(), F_OK), FailsWith(ENOENT));
  EXPECT_THAT(::mkdir(path("d").c_str(), 0700), Succeeds());
  EXPECT_THAT(::access(path("d/x").c_str(), F_OK), FailsWith(ENOENT));
  EXPECT_THAT(::rename(path("d").c_str(), path("e").c_str()), Succeeds());
  EXPECT_THAT(::access(path("e/x").c_str(), F_OK), FailsWith(ENOENT));
  EXPECT_THAT(::access(path("d").c_str(), F_OK), FailsWith(ENOENT));
  EXPECT_THAT(::symlink("a", path("l").c_str()), Succeeds());
  EXPECT_THAT(::stat(path("l").c_str(), &status), Succeeds());
  EXPECT_THAT(::unlink(path("l").c_str()), Succeeds());
  EXPECT_THAT(::symlink("missing", path("l").c_str()), Succeeds());
  EXPECT_THAT(::stat(path("l").c_str(), &status), FailsWith(ENOENT));
}

TEST_P(Node, Path_only_descriptors_name_what_they_were_opened_on) {
  make_file("a", "data");
  ASSERT_THAT(::symlink("a", path("l").c_str()), Succeeds());
  const Fd link{::open(path("l").c_str(), O_PATH | O_NOFOLLOW)};
  ASSERT_THAT(link.get(), Succeeds());
  struct stat status{};
  ASSERT_THAT(::fstat(link.get(), &status), Succeeds());
  EXPECT_TRUE(S_ISLNK(status.st_mode));
  std::array<char, 8> target{};
  EXPECT_THAT(::readlinkat(link.get(), "", target.data(), target.size()), SucceedsWith(1));
  const Fd file{::open(path("a").c_str(), O_PATH)};
  EXPECT_THAT(::read(file.get(), target.data(), 1), FailsWith(EBADF));
  EXPECT_THAT(::fstatat(file.get(), "", &status, AT_EMPTY_PATH), Succeeds());
  EXPECT_EQ(status.st_size, 4);
  EXPECT_THAT(::fchmod(file.get(), 0600), FailsWith(EBADF));
}

TEST_P(Node, Statx_tells_mount_and_birth) {
  make_file("a", "data");
  struct statx status{};
  ASSERT_THAT(::statx(AT_FDCWD, path("a").c_str(), 0, STATX_ALL, &status), Succeeds());
  EXPECT_EQ(status.stx_mask & STATX_BASIC_STATS, unsigned{STATX_BASIC_STATS});
  EXPECT_EQ(status.stx_size, 4U);
  constexpr unsigned kMountId = 0x1000;  // STATX_MNT_ID
  EXPECT_NE(status.stx_mask & kMountId, 0U);
  EXPECT_THAT(::statx(AT_FDCWD, path("a").c_str(), 0, 0x8000'0000U, &status), FailsWith(EINVAL));
}

TEST_P(Node, New_files_take_the_group_of_a_setgid_directory) {
  if (::geteuid() != 0) {
    GTEST_SKIP() << "changes groups";
  }
  ASSERT_THAT(::mkdir(path("d").c_str(), 0777), Succeeds());
  ASSERT_THAT(::chown(path("d").c_str(), 0, 4242), Succeeds());
  ASSERT_THAT(::chmod(path("d").c_str(), 02777), Succeeds());
  ASSERT_THAT(::mkdir(path("d/e").c_str(), 0700), Succeeds());
  make_file("d/f");
  struct stat status{};
  ASSERT_THAT(::stat(path("d/f").c_str(), &status), Succeeds());
  EXPECT_EQ(status.st_gid, 4242U);
  ASSERT_THAT(::stat(path("d/e").c_str(), &status), Succeeds());
  EXPECT_EQ(status.st_gid, 4242U);
  EXPECT_NE(status.st_mode & S_ISGID, 0U);
}

}  // namespace
