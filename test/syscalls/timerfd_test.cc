// SPDX-License-Identifier: Apache-2.0
// timerfd and signalfd.
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <time.h>

#include <array>

#include "syscall_test.h"

namespace {

constexpr long kMillisecond = 1'000'000;

itimerspec once(long nanoseconds) {
  itimerspec setting{};
  setting.it_value.tv_nsec = nanoseconds;
  return setting;
}

std::uint64_t expiries(const Fd& timer) {
  std::uint64_t count = 0;
  EXPECT_THAT(::read(timer.get(), &count, sizeof(count)), SucceedsWith(8));
  return count;
}

TEST(Timerfd, Expires_once) {
  const Fd timer{::timerfd_create(CLOCK_MONOTONIC, 0)};
  const itimerspec soon = once(kMillisecond);
  ASSERT_THAT(::timerfd_settime(timer.get(), 0, &soon, nullptr), Succeeds());
  EXPECT_EQ(expiries(timer), 1U);
  itimerspec left{};
  EXPECT_THAT(::timerfd_gettime(timer.get(), &left), Succeeds());
  EXPECT_EQ(left.it_value.tv_sec + left.it_value.tv_nsec, 0);
  pollfd poll{timer.get(), POLLIN, 0};
  EXPECT_THAT(::poll(&poll, 1, 0), SucceedsWith(0));
}

TEST(Timerfd, An_interval_counts_what_nobody_read) {
  const Fd timer{::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK)};
  itimerspec setting = once(kMillisecond);
  setting.it_interval.tv_nsec = kMillisecond;
  std::uint64_t count = 0;
  EXPECT_THAT(::read(timer.get(), &count, 8), FailsWith(EAGAIN));
  ASSERT_THAT(::timerfd_settime(timer.get(), 0, &setting, nullptr), Succeeds());
  const timespec pause{0, 10 * kMillisecond};
  EXPECT_THAT(::nanosleep(&pause, nullptr), Succeeds());
  EXPECT_GE(expiries(timer), 9U);
  pollfd poll{timer.get(), POLLIN, 0};
  EXPECT_THAT(::poll(&poll, 1, 10'000), SucceedsWith(1));
  EXPECT_GE(expiries(timer), 1U);
}

TEST(Timerfd, A_moment_of_any_clock) {
  for (const int clock : {CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_BOOTTIME}) {
    const Fd timer{::timerfd_create(clock, TFD_CLOEXEC)};
    itimerspec setting{};
    ASSERT_THAT(::clock_gettime(clock, &setting.it_value), Succeeds());
    ASSERT_THAT(::timerfd_settime(timer.get(), TFD_TIMER_ABSTIME, &setting, nullptr), Succeeds());
    EXPECT_EQ(expiries(timer), 1U);
  }
}

TEST(Timerfd, Tells_and_replaces_its_setting) {
  const Fd timer{::timerfd_create(CLOCK_MONOTONIC, 0)};
  itimerspec setting{};
  setting.it_value.tv_sec = 100;
  setting.it_interval.tv_sec = 7;
  ASSERT_THAT(::timerfd_settime(timer.get(), 0, &setting, nullptr), Succeeds());
  itimerspec old{};
  const itimerspec off{};
  ASSERT_THAT(::timerfd_settime(timer.get(), 0, &off, &old), Succeeds());
  EXPECT_EQ(old.it_value.tv_sec, 99);
  EXPECT_EQ(old.it_interval.tv_sec, 7);
  EXPECT_THAT(::timerfd_gettime(timer.get(), &old), Succeeds());
  EXPECT_EQ(old.it_value.tv_sec, 0);
}

TEST(Timerfd, Refuses_nonsense) {
  EXPECT_THAT(::timerfd_create(CLOCK_PROCESS_CPUTIME_ID, 0), FailsWith(EINVAL));
  EXPECT_THAT(::timerfd_create(CLOCK_MONOTONIC, 1), FailsWith(EINVAL));
  const Fd timer{::timerfd_create(CLOCK_MONOTONIC, 0)};
  itimerspec setting = once(1'000'000'000);
  EXPECT_THAT(::timerfd_settime(timer.get(), 0, &setting, nullptr), FailsWith(EINVAL));
  setting = once(1);
  EXPECT_THAT(::timerfd_settime(timer.get(), 8, &setting, nullptr), FailsWith(EINVAL));
  EXPECT_THAT(::timerfd_settime(0, 0, &setting, nullptr), FailsWith(EINVAL));
  std::uint32_t small = 0;
  EXPECT_THAT(::read(timer.get(), &small, sizeof(small)), FailsWith(EINVAL));
}

class Signalfd : public ::testing::Test {
 protected:
  void SetUp() override {
    ::sigemptyset(&set_);
    ::sigaddset(&set_, SIGUSR1);
    ::sigaddset(&set_, SIGUSR2);
    ASSERT_THAT(::sigprocmask(SIG_BLOCK, &set_, nullptr), Succeeds());
    file_.reset(::signalfd(-1, &set_, SFD_NONBLOCK));
    ASSERT_THAT(file_.get(), Succeeds());
  }
  sigset_t set_{};
  Fd file_;
};

TEST_F(Signalfd, Reads_what_is_pending) {
  std::array<signalfd_siginfo, 4> info{};
  EXPECT_THAT(::read(file_.get(), info.data(), sizeof(info)), FailsWith(EAGAIN));
  pollfd poll{file_.get(), POLLIN, 0};
  EXPECT_THAT(::poll(&poll, 1, 0), SucceedsWith(0));
  EXPECT_THAT(::kill(::getpid(), SIGUSR2), Succeeds());
  EXPECT_THAT(::raise(SIGUSR1), Succeeds());
  EXPECT_THAT(::poll(&poll, 1, 0), SucceedsWith(1));
  EXPECT_THAT(::read(file_.get(), info.data(), sizeof(info)), SucceedsWith(2 * 128));
  EXPECT_EQ(info[0].ssi_signo + info[1].ssi_signo, static_cast<std::uint32_t>(SIGUSR1 + SIGUSR2));
  EXPECT_EQ(info[0].ssi_pid, static_cast<std::uint32_t>(::getpid()));
  EXPECT_EQ(info[0].ssi_uid, ::getuid());
  EXPECT_THAT(::read(file_.get(), info.data(), 64), FailsWith(EINVAL));
}

TEST_F(Signalfd, The_set_can_be_changed) {
  sigset_t other{};
  ::sigemptyset(&other);
  ::sigaddset(&other, SIGUSR2);
  EXPECT_THAT(::signalfd(file_.get(), &other, 0), SucceedsWith(file_.get()));
  EXPECT_THAT(::raise(SIGUSR1), Succeeds());
  signalfd_siginfo info{};
  EXPECT_THAT(::read(file_.get(), &info, sizeof(info)), FailsWith(EAGAIN));
  EXPECT_THAT(::signalfd(file_.get(), &set_, 0), SucceedsWith(file_.get()));
  EXPECT_THAT(::read(file_.get(), &info, sizeof(info)), SucceedsWith(128));
  EXPECT_THAT(::signalfd(0, &set_, 0), FailsWith(EINVAL));
}

TEST_F(Signalfd, Wakes_an_epoll) {
  const Fd epoll{::epoll_create1(0)};
  epoll_event event{};
  event.events = EPOLLIN;
  ASSERT_THAT(::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, file_.get(), &event), Succeeds());
  EXPECT_THAT(::epoll_wait(epoll.get(), &event, 1, 0), SucceedsWith(0));
  EXPECT_THAT(::raise(SIGUSR1), Succeeds());
  EXPECT_THAT(::epoll_wait(epoll.get(), &event, 1, 0), SucceedsWith(1));
  signalfd_siginfo info{};
  EXPECT_THAT(::read(file_.get(), &info, sizeof(info)), SucceedsWith(128));
  EXPECT_THAT(::epoll_wait(epoll.get(), &event, 1, 0), SucceedsWith(0));
}

TEST_F(Signalfd, A_blocked_read_is_woken_by_a_childs_end) {
  sigset_t child{};
  ::sigemptyset(&child);
  ::sigaddset(&child, SIGCHLD);
  const int status = in_child([&] {
    ::sigprocmask(SIG_BLOCK, &child, nullptr);
    const Fd file{::signalfd(-1, &child, 0)};
    const pid_t pid = ::fork();
    if (pid == 0) {
      ::_exit(3);
    }
    signalfd_siginfo info{};
    return ::read(file.get(), &info, sizeof(info)) == 128 && info.ssi_signo == SIGCHLD &&
                   info.ssi_pid == static_cast<std::uint32_t>(pid) && info.ssi_status == 3
               ? 0
               : 1;
  });
  EXPECT_THAT(status, Exited(0));
}

}  // namespace
