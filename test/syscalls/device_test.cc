// SPDX-License-Identifier: Apache-2.0
// Device nodes that lie in the file system, and places in devices, which have none.
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <array>
#include <string>

#include "syscall_test.h"

namespace {

class DeviceNode : public FileTest {
 protected:
  void SetUp() override {
    FileTest::SetUp();
    if (::geteuid() != 0) {
      GTEST_SKIP() << "needs CAP_MKNOD";
    }
  }
  std::string make_node(const char* name, mode_t type, unsigned major, unsigned minor) {
    std::string at = path(name);
    EXPECT_THAT(::mknod(at.c_str(), type | 0666, makedev(major, minor)), Succeeds());
    return at;
  }
};
INSTANTIATE_ON_FILE_SYSTEMS(DeviceNode);

TEST_P(DeviceNode, Is_the_device_of_its_number) {
  const std::string null = make_node("null", S_IFCHR, 1, 3);
  const std::string zero = make_node("zero", S_IFCHR, 1, 5);
  const std::string full = make_node("full", S_IFCHR, 1, 7);
  const std::string random = make_node("random", S_IFCHR, 1, 9);
  if (on_tmpfs()) {  // mounted nodev
    EXPECT_THAT(::open(null.c_str(), O_RDONLY), FailsWith(EACCES));
    EXPECT_THAT(::open(zero.c_str(), O_PATH), Succeeds());
    return;
  }
  std::array<char, 8> bytes{'x', 'x'};
  const Fd null_file{::open(null.c_str(), O_RDWR | O_TRUNC)};
  ASSERT_THAT(null_file.get(), Succeeds());
  EXPECT_THAT(::write(null_file.get(), "x", 1), SucceedsWith(1));
  EXPECT_THAT(::read(null_file.get(), bytes.data(), 8), SucceedsWith(0));
  const Fd zero_file{::open(zero.c_str(), O_RDWR)};
  EXPECT_THAT(::read(zero_file.get(), bytes.data(), 8), SucceedsWith(8));
  EXPECT_EQ(bytes[0], '\0');
  void* const mapped =
      ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, zero_file.get(), 0);
  EXPECT_NE(mapped, MAP_FAILED);
  ::munmap(mapped, 4096);
  const Fd full_file{::open(full.c_str(), O_RDWR)};
  EXPECT_THAT(::write(full_file.get(), "x", 1), FailsWith(ENOSPC));
  const Fd random_file{::open(random.c_str(), O_RDONLY)};
  EXPECT_THAT(::read(random_file.get(), bytes.data(), 8), SucceedsWith(8));
  struct stat status{};
  EXPECT_THAT(::fstat(null_file.get(), &status), Succeeds());
  EXPECT_EQ(status.st_rdev, makedev(1, 3));
  struct stat by_name{};
  EXPECT_THAT(::stat(null.c_str(), &by_name), Succeeds());
  EXPECT_EQ(status.st_ino, by_name.st_ino);
  EXPECT_THAT(::open(null.c_str(), O_RDONLY | O_DIRECTORY), FailsWith(ENOTDIR));
}

TEST_P(DeviceNode, Of_a_terminal_leads_to_terminals) {
  if (on_tmpfs()) {
    GTEST_SKIP() << "mounted nodev";
  }
  const std::string tty = make_node("tty", S_IFCHR, 5, 0);
  EXPECT_THAT(in_child([&] {
                ::setsid();
                return ::open(tty.c_str(), O_RDWR) < 0 ? errno : 0;
              }),
              Exited(ENXIO))
      << "without a controlling terminal";
}

TEST_P(DeviceNode, Of_another_number_is_not_let_through) {
  if (on_tmpfs()) {
    GTEST_SKIP() << "mounted nodev";
  }
  for (const std::string& at :
       {make_node("mem", S_IFCHR, 1, 1), make_node("console", S_IFCHR, 5, 1),
        make_node("fuse", S_IFCHR, 10, 229), make_node("ram", S_IFBLK, 1, 3),
        make_node("disk", S_IFBLK, 8, 0), make_node("none", S_IFCHR, 511, 7)}) {
    SCOPED_TRACE(at);
    EXPECT_THAT(::open(at.c_str(), O_RDONLY), FailsWith(EPERM));
    EXPECT_THAT(::open(at.c_str(), O_RDWR), FailsWith(EPERM));
    EXPECT_THAT(::access(at.c_str(), R_OK), FailsWith(EPERM));
    EXPECT_THAT(::open(at.c_str(), O_PATH), Succeeds());
    struct stat status{};
    EXPECT_THAT(::stat(at.c_str(), &status), Succeeds());
  }
}

// ---- places in devices -------------------------------------------------------------------------

class DevicePlace : public FileTest {};
INSTANTIATE_ON_FILE_SYSTEMS(DevicePlace);

TEST_P(DevicePlace, Sendfile_takes_one_and_leaves_it) {
  const Fd zero{::open("/dev/zero", O_RDONLY)};
  const Fd to = make_file("to");
  off_t offset = 5;
  EXPECT_THAT(::sendfile(to.get(), zero.get(), &offset, 100), SucceedsWith(100));
  EXPECT_EQ(offset, 5);
  EXPECT_THAT(::sendfile(to.get(), zero.get(), nullptr, 100), SucceedsWith(100));
  EXPECT_THAT(::lseek(zero.get(), 0, SEEK_CUR), SucceedsWith(0));
  const Fd null{::open("/dev/null", O_RDWR)};
  EXPECT_THAT(::sendfile(to.get(), null.get(), &offset, 100), FailsWith(EINVAL));
  EXPECT_THAT(::sendfile(to.get(), null.get(), &offset, 0), SucceedsWith(0));
  EXPECT_EQ(offset, 5);
  const Fd from = make_file("from", std::string(300, 'x'));
  offset = 7;
  EXPECT_THAT(::sendfile(null.get(), from.get(), &offset, 100), SucceedsWith(100));
  EXPECT_EQ(offset, 107);
  const Fd full{::open("/dev/full", O_WRONLY)};
  EXPECT_THAT(::sendfile(full.get(), from.get(), &offset, 100), FailsWith(EINVAL));
}

TEST_P(DevicePlace, Sendfile_of_nothing_goes_anywhere) {
  const Fd from = make_file("from", "x");
  const Fd full{::open("/dev/full", O_WRONLY)};
  const Fd event{::eventfd(0, 0)};
  for (const int to : {full.get(), event.get()}) {
    off_t offset = 0;
    EXPECT_THAT(::sendfile(to, from.get(), &offset, 8), FailsWith(EINVAL));
    EXPECT_THAT(::sendfile(to, from.get(), &offset, 0), SucceedsWith(0));
    EXPECT_EQ(offset, 0);
    offset = 1;
    EXPECT_THAT(::sendfile(to, from.get(), &offset, 8), SucceedsWith(0));
    EXPECT_THAT(::sendfile(to, from.get(), nullptr, 8), FailsWith(EINVAL));
    EXPECT_THAT(::lseek(from.get(), 0, SEEK_CUR), SucceedsWith(0));
  }
}

TEST_P(DevicePlace, Splice_takes_one_and_leaves_it) {
  std::array<int, 2> ends{};
  ASSERT_THAT(::pipe(ends.data()), Succeeds());
  const Fd from(ends[0]);
  const Fd to(ends[1]);
  const Fd zero{::open("/dev/zero", O_RDWR)};
  const Fd null{::open("/dev/null", O_RDWR)};
  const Fd full{::open("/dev/full", O_RDWR)};
  off64_t offset = 5;
  EXPECT_THAT(::splice(zero.get(), &offset, to.get(), nullptr, 100, 0), SucceedsWith(100));
  EXPECT_EQ(offset, 5);
  EXPECT_THAT(::splice(full.get(), &offset, to.get(), nullptr, 100, 0), SucceedsWith(100));
  EXPECT_EQ(offset, 5);
  EXPECT_THAT(::splice(null.get(), &offset, to.get(), nullptr, 100, 0), FailsWith(EINVAL));
  EXPECT_THAT(::splice(from.get(), nullptr, null.get(), &offset, 50, 0), SucceedsWith(50));
  EXPECT_THAT(::splice(from.get(), nullptr, zero.get(), &offset, 50, 0), SucceedsWith(50));
  EXPECT_EQ(offset, 5);
  EXPECT_THAT(::splice(from.get(), nullptr, full.get(), nullptr, 50, 0), FailsWith(EINVAL));
  EXPECT_THAT(::splice(from.get(), nullptr, null.get(), nullptr, 500, 0), SucceedsWith(100));
  offset = -1;
  EXPECT_THAT(::splice(zero.get(), &offset, to.get(), nullptr, 100, 0), FailsWith(EINVAL));
}

}  // namespace
