// SPDX-License-Identifier: Apache-2.0
// Signals of files: F_SETOWN, F_SETSIG, O_ASYNC; leases.
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <array>
#include <csignal>
#include <ctime>

#include "syscall_test.h"

namespace {

/// With SIGIO and SIGRTMIN blocked, so that they can be waited for.
class Sigio : public ::testing::Test {
 protected:
  void SetUp() override {
    ::sigemptyset(&set_);
    ::sigaddset(&set_, SIGIO);
    ::sigaddset(&set_, SIGRTMIN);
    ::sigprocmask(SIG_BLOCK, &set_, &before_);
    std::array<int, 2> ends{};
    ASSERT_THAT(::pipe2(ends.data(), O_NONBLOCK), Succeeds());
    from_.reset(ends[0]);
    to_.reset(ends[1]);
  }
  void TearDown() override {
    next(0);
    ::sigprocmask(SIG_SETMASK, &before_, nullptr);
  }
  /// The next signal within `seconds`; 0: none.
  siginfo_t next(int seconds = 10) {
    siginfo_t info{};
    const timespec limit{.tv_sec = seconds, .tv_nsec = 0};
    if (::sigtimedwait(&set_, &info, &limit) < 0) {
      info.si_signo = 0;
    }
    return info;
  }
  static int start(int fd) { return ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_ASYNC); }

  Fd from_, to_;

 private:
  sigset_t set_{}, before_{};
};

TEST_F(Sigio, A_pipe_tells_its_owner_of_data) {
  ASSERT_THAT(::fcntl(from_.get(), F_SETOWN, ::getpid()), Succeeds());
  EXPECT_THAT(::fcntl(from_.get(), F_GETOWN), SucceedsWith(::getpid()));
  ASSERT_THAT(start(from_.get()), Succeeds());
  EXPECT_NE(::fcntl(from_.get(), F_GETFL) & O_ASYNC, 0);
  ASSERT_THAT(::write(to_.get(), "x", 1), SucceedsWith(1));
  const siginfo_t info = next();
  EXPECT_EQ(info.si_signo, SIGIO);
  EXPECT_EQ(info.si_code, SI_KERNEL);
}

TEST_F(Sigio, Nobody_hears_without_owner_or_flag) {
  ASSERT_THAT(start(from_.get()), Succeeds());
  ASSERT_THAT(::write(to_.get(), "x", 1), SucceedsWith(1));
  EXPECT_EQ(next(0).si_signo, 0) << "no owner";
  ASSERT_THAT(::fcntl(from_.get(), F_SETOWN, ::getpid()), Succeeds());
  ASSERT_THAT(::fcntl(from_.get(), F_SETFL, O_NONBLOCK), Succeeds());
  ASSERT_THAT(::write(to_.get(), "x", 1), SucceedsWith(1));
  EXPECT_EQ(next(0).si_signo, 0) << "not asked for any more";
}

TEST_F(Sigio, A_chosen_signal_tells_which_file_and_why) {
  ASSERT_THAT(::fcntl(from_.get(), F_SETOWN, ::getpid()), Succeeds());
  ASSERT_THAT(::fcntl(from_.get(), F_SETSIG, SIGRTMIN), Succeeds());
  EXPECT_THAT(::fcntl(from_.get(), F_GETSIG), SucceedsWith(SIGRTMIN));
  ASSERT_THAT(start(from_.get()), Succeeds());
  ASSERT_THAT(::write(to_.get(), "x", 1), SucceedsWith(1));
  const siginfo_t info = next();
  EXPECT_EQ(info.si_signo, SIGRTMIN);
  EXPECT_EQ(info.si_code, POLL_IN);
  EXPECT_EQ(info.si_fd, from_.get());
  EXPECT_NE(info.si_band & 1, 0) << "POLLIN";
}

TEST_F(Sigio, A_writer_hears_of_room) {
  ASSERT_THAT(::fcntl(to_.get(), F_SETPIPE_SZ, 4096), Succeeds());
  const std::array<char, 4096> page{};
  ASSERT_THAT(::write(to_.get(), page.data(), page.size()), SucceedsWith(4096));
  ASSERT_THAT(::fcntl(to_.get(), F_SETOWN, ::getpid()), Succeeds());
  ASSERT_THAT(::fcntl(to_.get(), F_SETSIG, SIGRTMIN), Succeeds());
  ASSERT_THAT(start(to_.get()), Succeeds());
  std::array<char, 4096> taken{};
  ASSERT_THAT(::read(from_.get(), taken.data(), taken.size()), SucceedsWith(4096));
  const siginfo_t info = next();
  EXPECT_EQ(info.si_signo, SIGRTMIN);
  EXPECT_EQ(info.si_code, POLL_OUT);
}

TEST_F(Sigio, A_socket_tells_its_owner) {
  std::array<int, 2> ends{};
  ASSERT_THAT(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()), Succeeds());
  const Fd one(ends[0]);
  const Fd other(ends[1]);
  ASSERT_THAT(::fcntl(one.get(), F_SETOWN, ::getpid()), Succeeds());
  int on = 1;
  ASSERT_THAT(::ioctl(one.get(), FIOASYNC, &on), Succeeds());
  EXPECT_NE(::fcntl(one.get(), F_GETFL) & O_ASYNC, 0);
  ASSERT_THAT(::send(other.get(), "x", 1, 0), SucceedsWith(1));
  EXPECT_EQ(next().si_signo, SIGIO);
}

TEST_F(Sigio, Another_process_can_be_the_cause) {
  ASSERT_THAT(::fcntl(from_.get(), F_SETOWN, ::getpid()), Succeeds());
  ASSERT_THAT(start(from_.get()), Succeeds());
  EXPECT_THAT(in_child([&] { return ::write(to_.get(), "x", 1) == 1 ? 0 : 1; }), Exited(0));
  EXPECT_EQ(next().si_signo, SIGIO);
}

TEST_F(Sigio, Owners_are_processes_groups_and_threads) {
  EXPECT_THAT(::fcntl(from_.get(), F_GETOWN), SucceedsWith(0));
  EXPECT_THAT(::fcntl(from_.get(), F_SETOWN, 4'000'000), FailsWith(ESRCH));
  EXPECT_THAT(::fcntl(from_.get(), F_SETOWN, INT32_MIN), FailsWith(EINVAL));
  f_owner_ex owner{.type = F_OWNER_PGRP, .pid = ::getpgrp()};
  ASSERT_THAT(::fcntl(from_.get(), F_SETOWN_EX, &owner), Succeeds());
  owner = {};
  ASSERT_THAT(::fcntl(from_.get(), F_GETOWN_EX, &owner), Succeeds());
  EXPECT_EQ(owner.type, F_OWNER_PGRP);
  EXPECT_EQ(owner.pid, ::getpgrp());
  owner = {.type = F_OWNER_TID, .pid = ::gettid()};
  ASSERT_THAT(::fcntl(from_.get(), F_SETOWN_EX, &owner), Succeeds());
  ASSERT_THAT(start(from_.get()), Succeeds());
  ASSERT_THAT(::write(to_.get(), "x", 1), SucceedsWith(1));
  EXPECT_EQ(next().si_signo, SIGIO);
  owner = {.type = static_cast<__pid_type>(7), .pid = ::getpid()};
  EXPECT_THAT(::fcntl(from_.get(), F_SETOWN_EX, &owner), FailsWith(EINVAL));
  EXPECT_THAT(::fcntl(from_.get(), F_SETSIG, 65), FailsWith(EINVAL));
  EXPECT_THAT(::fcntl(from_.get(), F_SETOWN, 0), Succeeds());
  EXPECT_THAT(::fcntl(from_.get(), F_GETOWN), SucceedsWith(0));
}

TEST_F(Sigio, Regular_files_do_not_tell) {
  const Fd file(::open("/tmp/sigio", O_RDWR | O_CREAT | O_TRUNC, 0600));
  ASSERT_THAT(file.get(), Succeeds());
  EXPECT_THAT(start(file.get()), Succeeds());
  EXPECT_EQ(::fcntl(file.get(), F_GETFL) & O_ASYNC, 0);
  int on = 1;
  EXPECT_THAT(::ioctl(file.get(), FIOASYNC, &on), FailsWith(ENOTTY));
  ::unlink("/tmp/sigio");
}

TEST(Lease, There_is_none_at_first) {
  const Fd file(::open("/proc/self/exe", O_RDONLY));
  EXPECT_THAT(::fcntl(file.get(), F_GETLEASE), SucceedsWith(F_UNLCK));
  const Fd null(::open("/dev/null", O_RDONLY));
  const int expected = ::geteuid() == 0 ? EINVAL : EACCES;
  EXPECT_THAT(::fcntl(null.get(), F_SETLEASE, F_RDLCK), FailsWith(expected));
}

}  // namespace
