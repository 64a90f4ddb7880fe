// SPDX-License-Identifier: Apache-2.0
// POSIX message queues, by the system calls themselves: the C library's names have a slash more.
#include <fcntl.h>
#include <mqueue.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <ctime>
#include <string>

#include "syscall_test.h"

namespace {

constexpr long kMost = 3, kSize = 16;

long open_queue(const std::string& name, int flags, mode_t mode = 0600,
                const mq_attr* attributes = nullptr) {
  return ::syscall(SYS_mq_open, name.c_str(), flags, mode, attributes);
}
long unlink_queue(const std::string& name) {
  return ::syscall(SYS_mq_unlink, name.c_str());
}
long send(int queue, const std::string& text, unsigned priority = 0,
          const timespec* until = nullptr) {
  return ::syscall(SYS_mq_timedsend, queue, text.data(), text.size(), priority, until);
}
/// The text and its priority, or the error's name.
std::string receive(int queue, const timespec* until = nullptr) {
  std::array<char, kSize> text{};
  unsigned priority = 0;
  const long size =
      ::syscall(SYS_mq_timedreceive, queue, text.data(), text.size(), &priority, until);
  return size < 0 ? error_name(errno)
                  : std::string(text.data(), static_cast<std::size_t>(size)) + "/" +
                        std::to_string(priority);
}
mq_attr attributes_of(int queue) {
  mq_attr attributes{};
  EXPECT_THAT(::syscall(SYS_mq_getsetattr, queue, nullptr, &attributes), Succeeds());
  return attributes;
}

class Mqueue : public ::testing::Test {
 protected:
  void SetUp() override {
    name_ = "test-" + std::to_string(::getpid());
    const mq_attr wanted{
        .mq_flags = 0, .mq_maxmsg = kMost, .mq_msgsize = kSize, .mq_curmsgs = 9, .__pad = {}};
    queue_.reset(static_cast<int>(open_queue(name_, O_RDWR | O_CREAT | O_EXCL, 0600, &wanted)));
    ASSERT_THAT(queue_.get(), Succeeds());
  }
  void TearDown() override { unlink_queue(name_); }
  [[nodiscard]] int queue() const { return queue_.get(); }
  /// Another open of it.
  [[nodiscard]] Fd again(int flags) const { return Fd{static_cast<int>(open_queue(name_, flags))}; }
  void make_nonblocking() const {
    const mq_attr flags{
        .mq_flags = O_NONBLOCK, .mq_maxmsg = 99, .mq_msgsize = 0, .mq_curmsgs = 0, .__pad = {}};
    ASSERT_THAT(::syscall(SYS_mq_getsetattr, queue(), &flags, nullptr), Succeeds());
  }

  std::string name_;
  Fd queue_;
};

TEST_F(Mqueue, Messages_come_by_priority_then_in_order) {
  EXPECT_THAT(send(queue(), "low", 1), SucceedsWith(0));
  EXPECT_THAT(send(queue(), "first", 7), SucceedsWith(0));
  EXPECT_THAT(send(queue(), "", 7), SucceedsWith(0));
  EXPECT_EQ(attributes_of(queue()).mq_curmsgs, 3);
  EXPECT_EQ(receive(queue()), "first/7");
  EXPECT_EQ(receive(queue()), "/7");
  EXPECT_EQ(receive(queue()), "low/1");
}

TEST_F(Mqueue, It_has_the_shape_that_was_asked_for) {
  const mq_attr attributes = attributes_of(queue());
  EXPECT_EQ(attributes.mq_maxmsg, kMost);
  EXPECT_EQ(attributes.mq_msgsize, kSize);
  EXPECT_EQ(attributes.mq_curmsgs, 0);
  EXPECT_EQ(attributes.mq_flags, 0);
  make_nonblocking();
  EXPECT_EQ(attributes_of(queue()).mq_flags, O_NONBLOCK);
  EXPECT_EQ(attributes_of(queue()).mq_maxmsg, kMost);
  EXPECT_EQ(::fcntl(queue(), F_GETFD), FD_CLOEXEC);
  const mq_attr wrong{
      .mq_flags = O_APPEND, .mq_maxmsg = 0, .mq_msgsize = 0, .mq_curmsgs = 0, .__pad = {}};
  EXPECT_THAT(::syscall(SYS_mq_getsetattr, queue(), &wrong, nullptr), FailsWith(EINVAL));
}

TEST_F(Mqueue, Full_and_empty_without_waiting) {
  make_nonblocking();
  EXPECT_EQ(receive(queue()), "EAGAIN");
  for (int i = 0; i < kMost; ++i) {
    EXPECT_THAT(send(queue(), "x"), SucceedsWith(0));
  }
  EXPECT_THAT(send(queue(), "x"), FailsWith(EAGAIN));
}

TEST_F(Mqueue, A_wait_ends_at_a_time_of_the_wall_clock) {
  const timespec past{1, 0}, wrong{0, 1'000'000'000};
  EXPECT_EQ(receive(queue(), &past), "ETIMEDOUT");
  EXPECT_EQ(receive(queue(), &wrong), "EINVAL");
  timespec soon{};
  ::clock_gettime(CLOCK_REALTIME, &soon);
  soon.tv_nsec += 20'000'000;
  soon.tv_sec += soon.tv_nsec / 1'000'000'000;
  soon.tv_nsec %= 1'000'000'000;
  EXPECT_EQ(receive(queue(), &soon), "ETIMEDOUT");
  for (int i = 0; i < kMost; ++i) {
    EXPECT_THAT(send(queue(), "x", 0, &past), SucceedsWith(0));  // nothing to wait for
  }
  EXPECT_THAT(send(queue(), "x", 0, &past), FailsWith(ETIMEDOUT));
}

TEST_F(Mqueue, A_child_that_waits_gets_the_message) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::_exit(receive(queue()) == "hello/5" && receive(queue()) == "again/0" ? 0 : 1);
  }
  EXPECT_THAT(send(queue(), "hello", 5), SucceedsWith(0));
  EXPECT_THAT(send(queue(), "again"), SucceedsWith(0));
  EXPECT_THAT(reap(child), Exited(0));
}

TEST_F(Mqueue, A_sender_that_waits_for_room_is_served) {
  for (int i = 0; i < kMost; ++i) {
    EXPECT_THAT(send(queue(), "old", 1), SucceedsWith(0));
  }
  const pid_t child = ::fork();
  if (child == 0) {
    ::_exit(send(queue(), "urgent", 9) == 0 ? 0 : 1);
  }
  std::string all;
  for (int i = 0; i < kMost + 1; ++i) {
    all += receive(queue()) + " ";
  }
  EXPECT_THAT(reap(child), Exited(0));
  EXPECT_NE(all.find("urgent/9"), std::string::npos);
  EXPECT_EQ(attributes_of(queue()).mq_curmsgs, 0);
}

TEST_F(Mqueue, A_handler_interrupts_a_wait) {
  struct sigaction action{};
  action.sa_handler = [](int) {};
  ::sigaction(SIGALRM, &action, nullptr);
  const itimerval soon{{0, 20'000}, {0, 20'000}};
  ::setitimer(ITIMER_REAL, &soon, nullptr);
  EXPECT_EQ(receive(queue()), "EINTR");
  const itimerval never{};
  ::setitimer(ITIMER_REAL, &never, nullptr);
  ::signal(SIGALRM, SIG_DFL);
}

TEST_F(Mqueue, What_is_refused) {
  std::array<char, kSize> text{};
  EXPECT_THAT(send(queue(), std::string(kSize + 1, 'x')), FailsWith(EMSGSIZE));
  EXPECT_THAT(send(queue(), "x", 32'768), FailsWith(EINVAL));
  EXPECT_THAT(::syscall(SYS_mq_timedsend, queue(), bad_address(), 1, 0, nullptr),
              FailsWith(EFAULT));
  EXPECT_THAT(::syscall(SYS_mq_timedreceive, queue(), text.data(), kSize - 1, nullptr, nullptr),
              FailsWith(EMSGSIZE));
  const Fd reader = again(O_RDONLY), writer = again(O_WRONLY);
  EXPECT_THAT(send(reader.get(), "x"), FailsWith(EBADF));
  EXPECT_EQ(receive(writer.get()), "EBADF");
  EXPECT_THAT(send(0, "x"), FailsWith(EBADF));
  EXPECT_THAT(send(999, "x"), FailsWith(EBADF));
  EXPECT_THAT(::syscall(SYS_mq_getsetattr, 0, nullptr, nullptr), FailsWith(EBADF));
}

TEST_F(Mqueue, Names) {
  EXPECT_THAT(open_queue(name_, O_RDWR | O_CREAT | O_EXCL), FailsWith(EEXIST));
  EXPECT_THAT(open_queue(name_ + "-missing", O_RDWR), FailsWith(ENOENT));
  EXPECT_THAT(open_queue("", O_RDWR), FailsWith(ENOENT));
  EXPECT_THAT(open_queue("a/b", O_RDWR | O_CREAT), FailsWith(EACCES));
  EXPECT_THAT(open_queue("/" + name_, O_RDWR), FailsWith(EACCES));
  EXPECT_THAT(open_queue(".", O_RDWR), FailsWith(EACCES));
  EXPECT_THAT(open_queue(std::string(256, 'n'), O_RDWR | O_CREAT), FailsWith(ENAMETOOLONG));
  EXPECT_THAT(::syscall(SYS_mq_open, bad_address(), O_RDWR, 0, nullptr), FailsWith(EFAULT));
  EXPECT_THAT(unlink_queue(name_ + "-missing"), FailsWith(ENOENT));
  EXPECT_THAT(open_queue(name_, O_ACCMODE), FailsWith(EINVAL));
}

TEST_F(Mqueue, An_unlinked_queue_lives_until_it_is_closed) {
  const Fd other = again(O_WRONLY);
  EXPECT_THAT(unlink_queue(name_), SucceedsWith(0));
  EXPECT_THAT(open_queue(name_, O_RDWR), FailsWith(ENOENT));
  EXPECT_THAT(send(other.get(), "kept"), SucceedsWith(0));
  EXPECT_EQ(receive(queue()), "kept/0");
  const Fd fresh{static_cast<int>(open_queue(name_, O_RDWR | O_CREAT | O_NONBLOCK))};
  EXPECT_EQ(attributes_of(fresh.get()).mq_maxmsg, 10);
  EXPECT_EQ(attributes_of(fresh.get()).mq_msgsize, 8192);
}

TEST_F(Mqueue, Limits) {
  const auto make = [this](long most, long size) {
    const mq_attr wanted{
        .mq_flags = 0, .mq_maxmsg = most, .mq_msgsize = size, .mq_curmsgs = 0, .__pad = {}};
    const std::string name = name_ + "-other";
    const Fd made{static_cast<int>(open_queue(name, O_RDWR | O_CREAT, 0600, &wanted))};
    const int error = errno;
    unlink_queue(name);
    errno = error;
    return made.get() < 0 ? -1 : 0;
  };
  EXPECT_THAT(make(10, 8192), Succeeds());
  EXPECT_THAT(make(11, 1), FailsWith(EINVAL));
  EXPECT_THAT(make(1, 8193), FailsWith(EINVAL));
  EXPECT_THAT(make(0, 1), FailsWith(EINVAL));
  EXPECT_THAT(make(1, -1), FailsWith(EINVAL));
  const rlimit small{500, 500};
  EXPECT_THAT(in_child([&] {
                ::setrlimit(RLIMIT_MSGQUEUE, &small);
                return make(10, 8192) == -1 && errno == EMFILE && make(1, 16) == 0 ? 0 : 1;
              }),
              Exited(0));
}

TEST_F(Mqueue, It_can_be_polled) {
  pollfd one{.fd = queue(), .events = POLLIN | POLLOUT, .revents = 0};
  EXPECT_EQ(::poll(&one, 1, 0), 1);
  EXPECT_EQ(one.revents, POLLOUT);
  const Fd epoll{::epoll_create1(0)};
  epoll_event event{.events = EPOLLIN | EPOLLET, .data = {}};
  EXPECT_THAT(::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, queue(), &event), Succeeds());
  EXPECT_EQ(::epoll_wait(epoll.get(), &event, 1, 0), 0);
  for (int i = 0; i < kMost; ++i) {
    EXPECT_THAT(send(queue(), "x"), SucceedsWith(0));
  }
  EXPECT_EQ(::epoll_wait(epoll.get(), &event, 1, 1000), 1);
  EXPECT_EQ(::poll(&one, 1, 0), 1);
  EXPECT_EQ(one.revents, POLLIN);
}

TEST_F(Mqueue, A_process_is_told_once_of_the_first_message) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
  sigevent event{};
  event.sigev_notify = SIGEV_SIGNAL;
  event.sigev_signo = SIGUSR1;
  event.sigev_value.sival_int = 42;
  EXPECT_THAT(::syscall(SYS_mq_notify, queue(), &event), SucceedsWith(0));
  EXPECT_THAT(::syscall(SYS_mq_notify, queue(), &event), FailsWith(EBUSY));
  EXPECT_THAT(send(queue(), "a"), SucceedsWith(0));
  siginfo_t info{};
  const timespec limit{5, 0}, now{0, 0};
  EXPECT_THAT(::sigtimedwait(&set, &info, &limit), SucceedsWith(SIGUSR1));
  EXPECT_EQ(info.si_code, SI_MESGQ);
  EXPECT_EQ(info.si_pid, ::getpid());
  EXPECT_EQ(info.si_value.sival_int, 42);
  // Once; and nobody is told where there are messages already.
  EXPECT_THAT(::syscall(SYS_mq_notify, queue(), &event), SucceedsWith(0));
  EXPECT_THAT(send(queue(), "b"), SucceedsWith(0));
  EXPECT_THAT(::sigtimedwait(&set, &info, &now), FailsWith(EAGAIN));
  EXPECT_THAT(::syscall(SYS_mq_notify, queue(), nullptr), SucceedsWith(0));
  EXPECT_THAT(::syscall(SYS_mq_notify, queue(), &event), SucceedsWith(0));
  // A close of any descriptor of it ends the wish.
  Fd other = again(O_RDONLY);
  other.reset();
  EXPECT_THAT(::syscall(SYS_mq_notify, queue(), &event), SucceedsWith(0));
  EXPECT_THAT(in_child([&] {
                return ::syscall(SYS_mq_notify, queue(), &event) == -1 && errno == EBUSY ? 0 : 1;
              }),
              Exited(0));
  event.sigev_signo = 1000;
  EXPECT_THAT(::syscall(SYS_mq_notify, queue(), &event), FailsWith(EINVAL));
  event.sigev_notify = 77;
  EXPECT_THAT(::syscall(SYS_mq_notify, queue(), &event), FailsWith(EINVAL));
}

TEST_F(Mqueue, Its_file_tells_of_it) {
  EXPECT_THAT(send(queue(), "four"), SucceedsWith(0));
  std::array<char, 128> text{};
  const ssize_t size = ::pread(queue(), text.data(), text.size(), 0);
  EXPECT_EQ(std::string(text.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0))),
            "QSIZE:4          NOTIFY:0     SIGNO:0     NOTIFY_PID:0     \n");
  EXPECT_THAT(::write(queue(), "x", 1), FailsWith(EINVAL));
  struct stat stat{};
  ASSERT_THAT(::fstat(queue(), &stat), Succeeds());
  EXPECT_EQ(stat.st_mode, S_IFREG | 0600U);
  EXPECT_EQ(stat.st_size, 80);
  EXPECT_EQ(stat.st_uid, ::getuid());
}

TEST_F(Mqueue, Its_mode_says_who_may) {
  if (::geteuid() == 0) {
    GTEST_SKIP() << "nothing is closed to root";
  }
  EXPECT_THAT(::fchmod(queue(), 0400), Succeeds());
  EXPECT_THAT(again(O_RDONLY).get(), Succeeds());
  EXPECT_THAT(open_queue(name_, O_WRONLY), FailsWith(EACCES));
}

}  // namespace
