// SPDX-License-Identifier: Apache-2.0
// flock, and record locks of processes and of open files.
#include <sys/file.h>
#include <sys/wait.h>

#include <array>
#include <csignal>
#include <string>

#include "syscall_test.h"

namespace {

class Lock : public FileTest {
 protected:
  static struct flock range(short type, off_t start = 0, off_t length = 0) {
    struct flock lock{};
    lock.l_type = type;
    lock.l_whence = SEEK_SET;
    lock.l_start = start;
    lock.l_len = length;
    return lock;
  }
  static int set(const Fd& file, short type, off_t start = 0, off_t length = 0,
                 int command = F_SETLK) {
    struct flock lock = range(type, start, length);
    return ::fcntl(file.get(), command, &lock);
  }
};
INSTANTIATE_ON_FILE_SYSTEMS(Lock);

TEST_P(Lock, Processes_exclude_each_other_by_range) {
  const Fd file = make_file("a", "0123456789");
  ASSERT_THAT(set(file, F_WRLCK, 2, 4), Succeeds());
  const pid_t owner = ::getpid();
  const int status = in_child([&] {
    if (set(file, F_RDLCK, 5, 1) != -1 || errno != EAGAIN) {
      return 1;
    }
    if (set(file, F_WRLCK, 6, 2) != 0 || set(file, F_WRLCK, 0, 2) != 0) {
      return 2;
    }
    struct flock lock = range(F_WRLCK);
    if (::fcntl(file.get(), F_GETLK, &lock) != 0 || lock.l_type != F_WRLCK || lock.l_start != 2 ||
        lock.l_len != 4 || lock.l_pid != owner) {
      return 3;
    }
    return 0;
  });
  EXPECT_THAT(status, Exited(0));
}

TEST_P(Lock, A_process_never_shuts_itself_out) {
  const Fd file = make_file("a", "0123456789");
  const Fd again{::open(path("a").c_str(), O_RDWR)};
  EXPECT_THAT(set(file, F_WRLCK), Succeeds());
  EXPECT_THAT(set(again, F_WRLCK, 3, 3), Succeeds());
  struct flock lock = range(F_WRLCK);
  ASSERT_THAT(::fcntl(file.get(), F_GETLK, &lock), Succeeds());
  EXPECT_EQ(lock.l_type, F_UNLCK);
}

TEST_P(Lock, Closing_any_descriptor_of_the_file_gives_them_up) {
  const Fd file = make_file("a");
  ASSERT_THAT(set(file, F_WRLCK), Succeeds());
  Fd other{::open(path("a").c_str(), O_RDONLY)};
  other.reset();
  EXPECT_THAT(in_child([&] { return set(file, F_WRLCK) == 0 ? 0 : 1; }), Exited(0));
}

TEST_P(Lock, Locks_of_processes_are_not_inherited_those_of_open_files_are) {
  const Fd file = make_file("a");
  ASSERT_THAT(set(file, F_WRLCK, 0, 1), Succeeds());
  ASSERT_THAT(set(file, F_WRLCK, 10, 1, F_OFD_SETLK), Succeeds());
  const int status = in_child([&] {
    if (set(file, F_WRLCK, 0, 1) != -1) {
      return 1;
    }
    return set(file, F_WRLCK, 10, 1, F_OFD_SETLK) == 0 ? 0 : 2;
  });
  EXPECT_THAT(status, Exited(0));
}

TEST_P(Lock, Open_files_exclude_each_other) {
  const Fd one = make_file("a");
  Fd two{::open(path("a").c_str(), O_RDWR)};
  ASSERT_THAT(set(one, F_WRLCK, 0, 5, F_OFD_SETLK), Succeeds());
  EXPECT_THAT(set(two, F_RDLCK, 4, 1, F_OFD_SETLK), FailsWith(EAGAIN));
  EXPECT_THAT(set(two, F_RDLCK, 5, 1, F_OFD_SETLK), Succeeds());
  EXPECT_THAT(set(one, F_WRLCK, 5, 1), FailsWith(EAGAIN)) << "they count for processes, too";
  struct flock lock = range(F_WRLCK, 0, 5);
  ASSERT_THAT(::fcntl(two.get(), F_OFD_GETLK, &lock), Succeeds());
  EXPECT_EQ(lock.l_pid, -1);
  two.reset();
  EXPECT_THAT(set(one, F_WRLCK, 5, 1, F_OFD_SETLK), Succeeds());
}

TEST_P(Lock, Nonsense_is_refused) {
  const Fd file = make_file("a");
  const Fd reader{::open(path("a").c_str(), O_RDONLY)};
  const Fd writer{::open(path("a").c_str(), O_WRONLY)};
  EXPECT_THAT(set(file, 77), FailsWith(EINVAL));
  EXPECT_THAT(set(file, F_WRLCK, -5, 2), FailsWith(EINVAL));
  EXPECT_THAT(set(reader, F_WRLCK), FailsWith(EBADF));
  EXPECT_THAT(set(writer, F_RDLCK), FailsWith(EBADF));
  EXPECT_THAT(::flock(file.get(), 3), FailsWith(EINVAL));
  EXPECT_THAT(::flock(-1, LOCK_EX), FailsWith(EBADF));
}

TEST_P(Lock, A_waiter_gets_the_lock_when_it_is_given_up) {
  const Fd file = make_file("a");
  ASSERT_THAT(set(file, F_WRLCK), Succeeds());
  std::array<int, 2> ready{};
  ASSERT_THAT(::pipe(ready.data()), Succeeds());
  const pid_t child = ::fork();
  if (child == 0) {
    (void)!::write(ready[1], "x", 1);
    ::_exit(set(file, F_WRLCK, 0, 0, F_SETLKW) == 0 ? 0 : 1);
  }
  char byte = 0;
  ASSERT_THAT(::read(ready[0], &byte, 1), SucceedsWith(1));
  ASSERT_THAT(set(file, F_UNLCK), Succeeds());
  int status = -1;
  ASSERT_THAT(::waitpid(child, &status, 0), SucceedsWith(child));
  EXPECT_THAT(status, Exited(0));
  ::close(ready[0]);
  ::close(ready[1]);
}

TEST_P(Lock, A_signal_ends_the_wait) {
  const Fd file = make_file("a");
  const Fd other{::open(path("a").c_str(), O_RDWR)};
  ASSERT_THAT(::flock(file.get(), LOCK_EX), Succeeds());
  struct sigaction action{};
  action.sa_handler = [](int) {};
  struct sigaction old{};
  ASSERT_THAT(::sigaction(SIGALRM, &action, &old), Succeeds());
  ::ualarm(20'000, 20'000);
  EXPECT_THAT(::flock(other.get(), LOCK_EX), FailsWith(EINTR));
  ::ualarm(0, 0);
  ::sigaction(SIGALRM, &old, nullptr);
}

TEST_P(Lock, Flocks_of_open_files_exclude_each_other_and_end_with_them) {
  Fd one = make_file("a");
  const Fd two{::open(path("a").c_str(), O_RDONLY)};
  EXPECT_THAT(::flock(one.get(), LOCK_SH), Succeeds());
  EXPECT_THAT(::flock(two.get(), LOCK_SH), Succeeds());
  EXPECT_THAT(::flock(two.get(), LOCK_EX | LOCK_NB), FailsWith(EAGAIN));
  const Fd copy{::dup(one.get())};
  one.reset();
  EXPECT_THAT(::flock(two.get(), LOCK_EX | LOCK_NB), FailsWith(EAGAIN)) << "the copy holds it";
  EXPECT_THAT(::flock(copy.get(), LOCK_UN), Succeeds());
  EXPECT_THAT(::flock(two.get(), LOCK_EX | LOCK_NB), Succeeds());
}

TEST_P(Lock, Two_that_wait_for_each_other_are_told) {
  const Fd file = make_file("a");
  ASSERT_THAT(set(file, F_WRLCK, 0, 1), Succeeds());
  std::array<int, 2> ready{};
  ASSERT_THAT(::pipe(ready.data()), Succeeds());
  const pid_t child = ::fork();
  if (child == 0) {
    const bool own = set(file, F_WRLCK, 1, 1) == 0;
    (void)!::write(ready[1], "x", 1);
    const int waited = set(file, F_WRLCK, 0, 1, F_SETLKW);
    ::_exit(own && (waited == 0 || errno == EDEADLK) ? (waited == 0 ? 0 : 2) : 1);
  }
  char byte = 0;
  ASSERT_THAT(::read(ready[0], &byte, 1), SucceedsWith(1));
  const int waited = set(file, F_WRLCK, 1, 1, F_SETLKW);
  const bool parent_told = waited != 0 && errno == EDEADLK;
  ASSERT_THAT(set(file, F_UNLCK), Succeeds());
  int status = -1;
  ASSERT_THAT(::waitpid(child, &status, 0), SucceedsWith(child));
  // Whoever came second is told; the other one gets its lock.
  EXPECT_THAT(status, Exited(parent_told ? 0 : 2));
  ::close(ready[0]);
  ::close(ready[1]);
}

}  // namespace
