// SPDX-License-Identifier: Apache-2.0
// inotify: what a program is told of changes that it or others make. memfd and its seals.
#include <poll.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <array>
#include <string>
#include <vector>

#include "syscall_test.h"

namespace {

struct Seen {
  int watch;
  std::uint32_t mask;
  std::string name;
  bool operator==(const Seen&) const = default;
};
[[maybe_unused]] std::ostream& operator<<(std::ostream& out, const Seen& seen) {
  return out << seen.watch << "/" << std::hex << seen.mask << std::dec << "/" << seen.name;
}

class Inotify : public FileTest {
 protected:
  void SetUp() override {
    FileTest::SetUp();
    file_.reset(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
    ASSERT_THAT(file_.get(), Succeeds());
  }
  int watch(const std::string& name, std::uint32_t mask) {
    return ::inotify_add_watch(file_.get(), name.c_str(), mask);
  }
  std::vector<Seen> seen() {
    alignas(inotify_event) std::array<char, 4096> buffer{};
    const ssize_t size = ::read(file_.get(), buffer.data(), buffer.size());
    std::vector<Seen> result;
    for (ssize_t at = 0; at < size;) {
      const auto* const event = reinterpret_cast<const inotify_event*>(&buffer[at]);
      result.push_back({event->wd, event->mask, event->len != 0 ? event->name : ""});
      at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
    }
    return result;
  }
  Fd file_;
};
INSTANTIATE_ON_FILE_SYSTEMS(Inotify);

TEST_P(Inotify, A_directory_tells_of_its_names) {
  const int wd = watch(path(""), IN_CREATE | IN_DELETE | IN_MOVE);
  ASSERT_THAT(wd, Succeeds());
  EXPECT_EQ(seen(), std::vector<Seen>{});
  {
    const Fd file = make_file("a", "x");
  }
  EXPECT_THAT(::mkdir(path("d").c_str(), 0755), Succeeds());
  EXPECT_THAT(::rename(path("a").c_str(), path("b").c_str()), Succeeds());
  EXPECT_THAT(::unlink(path("b").c_str()), Succeeds());
  EXPECT_EQ(seen(), (std::vector<Seen>{{wd, IN_CREATE, "a"},
                                       {wd, IN_CREATE | IN_ISDIR, "d"},
                                       {wd, IN_MOVED_FROM, "a"},
                                       {wd, IN_MOVED_TO, "b"},
                                       {wd, IN_DELETE, "b"}}));
}

TEST_P(Inotify, A_file_tells_of_its_use) {
  {
    const Fd file = make_file("a", "x");
  }
  const int wd = watch(path("a"), IN_OPEN | IN_MODIFY | IN_ACCESS | IN_CLOSE | IN_ATTRIB);
  ASSERT_THAT(wd, Succeeds());
  {
    const Fd file{::open(path("a").c_str(), O_RDWR)};
    char byte = 0;
    EXPECT_THAT(::read(file.get(), &byte, 1), SucceedsWith(1));
    EXPECT_THAT(::write(file.get(), "y", 1), SucceedsWith(1));
  }
  EXPECT_THAT(::chmod(path("a").c_str(), 0600), Succeeds());
  EXPECT_EQ(seen(), (std::vector<Seen>{{wd, IN_OPEN, ""},
                                       {wd, IN_ACCESS, ""},
                                       {wd, IN_MODIFY, ""},
                                       {wd, IN_CLOSE_WRITE, ""},
                                       {wd, IN_ATTRIB, ""}}));
}

TEST_P(Inotify, A_directory_is_read_each_time_also_at_its_end) {
  const Fd directory{::open(path("").c_str(), O_RDONLY | O_DIRECTORY)};
  const int wd = watch(path(""), IN_ACCESS);
  std::array<char, 4096> entries{};
  for (int round = 0; round < 3; ++round) {
    ASSERT_THAT(::syscall(SYS_getdents64, directory.get(), entries.data(), entries.size()),
                Succeeds());
    EXPECT_EQ(seen(), (std::vector<Seen>{{wd, IN_ACCESS | IN_ISDIR, ""}})) << round;
  }
}

TEST_P(Inotify, Equal_events_in_a_row_are_one) {
  const Fd file = make_file("a");
  const int wd = watch(path("a"), IN_MODIFY);
  ASSERT_THAT(wd, Succeeds());
  for (int i = 0; i < 3; ++i) {
    EXPECT_THAT(::write(file.get(), "y", 1), SucceedsWith(1));
  }
  EXPECT_EQ(seen(), (std::vector<Seen>{{wd, IN_MODIFY, ""}}));
}

TEST_P(Inotify, The_end_of_a_watch_is_told) {
  {
    const Fd file = make_file("a", "x");
  }
  const int once = watch(path("a"), IN_ATTRIB | IN_ONESHOT);
  EXPECT_THAT(::chmod(path("a").c_str(), 0600), Succeeds());
  EXPECT_EQ(seen(), (std::vector<Seen>{{once, IN_ATTRIB, ""}, {once, IN_IGNORED, ""}}));
  const int wd = watch(path("a"), IN_DELETE_SELF);
  EXPECT_NE(wd, once);
  EXPECT_THAT(::unlink(path("a").c_str()), Succeeds());
  EXPECT_EQ(seen(), (std::vector<Seen>{{wd, IN_DELETE_SELF, ""}, {wd, IN_IGNORED, ""}}));
  const int other = watch(path(""), IN_CREATE);
  EXPECT_THAT(::inotify_rm_watch(file_.get(), other), Succeeds());
  EXPECT_EQ(seen(), (std::vector<Seen>{{other, IN_IGNORED, ""}}));
  EXPECT_THAT(::inotify_rm_watch(file_.get(), other), FailsWith(EINVAL));
}

TEST_P(Inotify, Masks_are_replaced_or_added_to) {
  const int wd = watch(path(""), IN_CREATE);
  EXPECT_THAT(watch(path(""), IN_DELETE | IN_MASK_ADD), SucceedsWith(wd));
  {
    const Fd file = make_file("a", "x");
  }
  EXPECT_EQ(seen(), (std::vector<Seen>{{wd, IN_CREATE, "a"}}));
  EXPECT_THAT(watch(path(""), IN_DELETE), SucceedsWith(wd));
  {
    const Fd file = make_file("b", "x");
  }
  EXPECT_EQ(seen(), std::vector<Seen>{});
  EXPECT_THAT(watch(path(""), IN_CREATE | IN_MASK_CREATE), FailsWith(EEXIST));
  EXPECT_THAT(watch(path("a"), IN_CREATE | IN_ONLYDIR), FailsWith(ENOTDIR));
  EXPECT_THAT(watch(path("nothing"), IN_CREATE), FailsWith(ENOENT));
  EXPECT_THAT(watch(path("a"), 0), FailsWith(EINVAL));
  EXPECT_THAT(::inotify_init1(1), FailsWith(EINVAL));
}

TEST_P(Inotify, Can_be_polled_and_needs_room_for_an_event) {
  pollfd poll{file_.get(), POLLIN, 0};
  ASSERT_THAT(watch(path(""), IN_CREATE), Succeeds());
  EXPECT_THAT(::poll(&poll, 1, 0), SucceedsWith(0));
  {
    const Fd file = make_file("a", "x");
  }
  EXPECT_THAT(::poll(&poll, 1, 0), SucceedsWith(1));
  std::array<char, 8> small{};
  EXPECT_THAT(::read(file_.get(), small.data(), small.size()), FailsWith(EINVAL));
  EXPECT_EQ(seen().size(), 1U);
  EXPECT_THAT(::read(file_.get(), small.data(), small.size()), FailsWith(EAGAIN));
}

TEST(Memfd, Is_a_file_in_memory) {
  const Fd file{::memfd_create("name", MFD_CLOEXEC)};
  ASSERT_THAT(file.get(), Succeeds());
  EXPECT_THAT(::fcntl(file.get(), F_GETFD), SucceedsWith(FD_CLOEXEC));
  EXPECT_THAT(::write(file.get(), "hello", 5), SucceedsWith(5));
  struct stat st{};
  EXPECT_THAT(::fstat(file.get(), &st), Succeeds());
  EXPECT_EQ(st.st_size, 5);
  EXPECT_EQ(st.st_mode, static_cast<mode_t>(S_IFREG | 0777));
  EXPECT_EQ(st.st_nlink, 0U);
  EXPECT_THAT(::ftruncate(file.get(), 8192), Succeeds());
  void* const map = ::mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
  ASSERT_NE(map, MAP_FAILED);
  static_cast<char*>(map)[0] = 'j';
  std::array<char, 6> text{};
  EXPECT_THAT(::pread(file.get(), text.data(), 5, 0), SucceedsWith(5));
  EXPECT_STREQ(text.data(), "jello");
  EXPECT_THAT(::munmap(map, 8192), Succeeds());
  EXPECT_THAT(::fcntl(file.get(), F_GET_SEALS), SucceedsWith(F_SEAL_SEAL));
  EXPECT_THAT(::fcntl(file.get(), F_ADD_SEALS, F_SEAL_GROW), FailsWith(EPERM));
}

TEST(Memfd, Seals_hold) {
  const Fd file{::memfd_create("sealed", MFD_ALLOW_SEALING)};
  EXPECT_THAT(::fcntl(file.get(), F_GET_SEALS), SucceedsWith(0));
  EXPECT_THAT(::ftruncate(file.get(), 4096), Succeeds());
  EXPECT_THAT(::fcntl(file.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW), Succeeds());
  EXPECT_THAT(::ftruncate(file.get(), 100), FailsWith(EPERM));
  EXPECT_THAT(::ftruncate(file.get(), 5000), FailsWith(EPERM));
  EXPECT_THAT(::write(file.get(), "x", 1), SucceedsWith(1));
  EXPECT_THAT(::pwrite(file.get(), "x", 1, 4096), FailsWith(EPERM));
  EXPECT_THAT(::fcntl(file.get(), F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SEAL), Succeeds());
  EXPECT_THAT(::write(file.get(), "x", 1), FailsWith(EPERM));
  EXPECT_EQ(::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0), MAP_FAILED);
  EXPECT_EQ(errno, EPERM);
  EXPECT_THAT(::fcntl(file.get(), F_ADD_SEALS, F_SEAL_GROW), FailsWith(EPERM));
  EXPECT_THAT(::memfd_create("x", 0x400), FailsWith(EINVAL));
  EXPECT_THAT(::memfd_create(std::string(300, 'x').c_str(), 0), FailsWith(EINVAL));
}

}  // namespace
