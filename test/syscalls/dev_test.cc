// SPDX-License-Identifier: Apache-2.0
// The devices that every container has.
#include <dirent.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <array>
#include <string>

#include "syscall_test.h"

namespace {

struct Device {
  const char* path;
  unsigned major, minor;
};

TEST(Dev, The_usual_nodes_are_there) {
  for (const Device& device :
       {Device{"/dev/null", 1, 3}, Device{"/dev/zero", 1, 5}, Device{"/dev/full", 1, 7},
        Device{"/dev/random", 1, 8}, Device{"/dev/urandom", 1, 9}, Device{"/dev/tty", 5, 0},
        Device{"/dev/ptmx", 5, 2}}) {
    struct stat attr{};
    ASSERT_THAT(::stat(device.path, &attr), Succeeds()) << device.path;
    EXPECT_TRUE(S_ISCHR(attr.st_mode)) << device.path;
    EXPECT_EQ(attr.st_mode & 0777, 0666U) << device.path;
    EXPECT_EQ(::major(attr.st_rdev), device.major) << device.path;
    EXPECT_EQ(::minor(attr.st_rdev), device.minor) << device.path;
  }
}

TEST(Dev, Null_takes_all_and_gives_nothing) {
  const Fd file{::open("/dev/null", O_RDWR)};
  std::array<char, 8> buffer{};
  EXPECT_THAT(::write(file.get(), "hello", 5), SucceedsWith(5));
  EXPECT_THAT(::read(file.get(), buffer.data(), 8), SucceedsWith(0));
  EXPECT_THAT(::lseek(file.get(), 5, SEEK_SET), Succeeds());
}

TEST(Dev, Zero_gives_zeros_and_full_takes_nothing) {
  std::array<char, 16> buffer;
  buffer.fill('x');
  const Fd zero{::open("/dev/zero", O_RDWR)};
  EXPECT_THAT(::read(zero.get(), buffer.data(), buffer.size()), SucceedsWith(16));
  EXPECT_EQ(std::count(buffer.begin(), buffer.end(), '\0'), 16);
  const Fd full{::open("/dev/full", O_RDWR)};
  EXPECT_THAT(::write(full.get(), "x", 1), FailsWith(ENOSPC));
  buffer.fill('x');
  EXPECT_THAT(::read(full.get(), buffer.data(), buffer.size()), SucceedsWith(16));
  EXPECT_EQ(std::count(buffer.begin(), buffer.end(), '\0'), 16);
}

TEST(Dev, Random_bytes_differ) {
  for (const char* path : {"/dev/random", "/dev/urandom"}) {
    const Fd file{::open(path, O_RDONLY)};
    std::array<char, 32> first{};
    std::array<char, 32> second{};
    EXPECT_THAT(::read(file.get(), first.data(), first.size()), SucceedsWith(32));
    EXPECT_THAT(::read(file.get(), second.data(), second.size()), SucceedsWith(32));
    EXPECT_NE(first, second);
  }
}

TEST(Dev, The_standard_streams_have_names) {
  std::array<char, 64> text{};
  ASSERT_THAT(::readlink("/dev/fd", text.data(), text.size()), Succeeds());
  EXPECT_STREQ(text.data(), "/proc/self/fd");
  struct stat by_name{};
  struct stat by_fd{};
  ASSERT_THAT(::stat("/dev/stdout", &by_name), Succeeds());
  ASSERT_THAT(::fstat(1, &by_fd), Succeeds());
  EXPECT_EQ(by_name.st_ino, by_fd.st_ino);
  EXPECT_EQ(by_name.st_mode, by_fd.st_mode);
  std::array<int, 2> ends{};
  ASSERT_THAT(::pipe(ends.data()), Succeeds());
  const Fd reader{ends[0]};
  const Fd writer{ends[1]};
  const Fd again{::open(("/dev/fd/" + std::to_string(writer.get())).c_str(), O_WRONLY)};
  ASSERT_THAT(::write(again.get(), "x", 1), SucceedsWith(1));
  std::array<char, 2> buffer{};
  EXPECT_THAT(::read(reader.get(), buffer.data(), 2), SucceedsWith(1));
}

TEST(Dev, Shm_and_pts_are_file_systems_of_their_own) {
  struct statfs system{};
  ASSERT_THAT(::statfs("/dev/pts", &system), Succeeds());
  EXPECT_EQ(system.f_type, 0x1cd1);
  ASSERT_THAT(::statfs("/dev/shm", &system), Succeeds());
  EXPECT_EQ(system.f_type, 0x01021994);
  const Fd file{::shm_open("/dev_test", O_CREAT | O_RDWR, 0600)};
  EXPECT_THAT(file.get(), Succeeds());
  EXPECT_THAT(::shm_unlink("/dev_test"), Succeeds());
  EXPECT_THAT(::mkdir("/dev/pts/x", 0700), testing::AnyOf(FailsWith(EPERM), FailsWith(EACCES)));
}

TEST(Dev, A_node_of_the_same_number_is_the_same_device) {
  if (::geteuid() != 0) {
    GTEST_SKIP() << "needs CAP_MKNOD";
  }
  ASSERT_THAT(::mknod("/dev/own_null", S_IFCHR | 0600, ::makedev(1, 3)), Succeeds());
  const Fd file{::open("/dev/own_null", O_RDWR)};
  EXPECT_THAT(::write(file.get(), "x", 1), SucceedsWith(1));
  EXPECT_THAT(::unlink("/dev/own_null"), Succeeds());
}

}  // namespace
