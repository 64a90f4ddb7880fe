// SPDX-License-Identifier: Apache-2.0
// pidfds: descriptors that name processes.
#include <linux/sched.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/syscall.h>

#include <array>
#include <atomic>
#include <csignal>
#include <fstream>
#include <sstream>
#include <thread>

#include "syscall_test.h"

namespace {

constexpr int kPidfdNonblock = O_NONBLOCK;

int open_pidfd(pid_t pid, unsigned flags = 0) {
  return static_cast<int>(::syscall(SYS_pidfd_open, pid, flags));
}
long send(int pidfd, int number, siginfo_t* info = nullptr, unsigned flags = 0) {
  return ::syscall(SYS_pidfd_send_signal, pidfd, number, info, flags);
}
long get_fd(int pidfd, int fd, unsigned flags = 0) {
  return ::syscall(SYS_pidfd_getfd, pidfd, fd, flags);
}
int wait_id(int pidfd, siginfo_t* info, int options) {
  return ::waitid(P_PIDFD, static_cast<id_t>(pidfd), info, options);
}
/// What poll says of it at once, or within ten seconds.
short poll_of(int fd, int timeout_ms = 0) {
  pollfd watched{.fd = fd, .events = POLLIN, .revents = 0};
  return ::poll(&watched, 1, timeout_ms) < 0 ? short{-1} : watched.revents;
}

class Pidfd : public ::testing::Test {
 protected:
  void SetUp() override {
    child_ = start_sleeper();
    fd_.reset(open_pidfd(child_));
    ASSERT_THAT(fd_.get(), Succeeds());
  }
  void TearDown() override {
    if (child_ > 0) {
      ::kill(child_, SIGKILL);
      ::waitpid(child_, nullptr, 0);
    }
  }
  void kill_and_reap() {
    ::kill(child_, SIGKILL);
    EXPECT_THAT(reap(child_), DiedOf(SIGKILL));
    child_ = 0;
  }
  /// Its fdinfo.
  [[nodiscard]] std::string info() const {
    std::ifstream file("/proc/self/fdinfo/" + std::to_string(fd_.get()));
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  }

  pid_t child_ = 0;
  Fd fd_;
};

TEST_F(Pidfd, Is_closed_on_exec_and_has_no_bytes) {
  EXPECT_THAT(::fcntl(fd_.get(), F_GETFD), SucceedsWith(FD_CLOEXEC));
  char byte = 0;
  EXPECT_THAT(::read(fd_.get(), &byte, 1), FailsWith(EINVAL));
  EXPECT_THAT(::write(fd_.get(), &byte, 1), FailsWith(EINVAL));
  EXPECT_THAT(::lseek(fd_.get(), 0, SEEK_SET), FailsWith(ESPIPE));
}

TEST_F(Pidfd, Names_processes_alone) {
  EXPECT_THAT(open_pidfd(0), FailsWith(EINVAL));
  EXPECT_THAT(open_pidfd(-5), FailsWith(EINVAL));
  EXPECT_THAT(open_pidfd(child_, 1), FailsWith(EINVAL));
  EXPECT_THAT(open_pidfd(4'000'000), FailsWith(ESRCH));
  std::thread([] { EXPECT_THAT(open_pidfd(::gettid()), FailsWith(ENOENT)); }).join();
}

TEST_F(Pidfd, Is_readable_when_the_process_has_ended_and_hangs_up_when_it_was_reaped) {
  EXPECT_EQ(poll_of(fd_.get()), 0);
  ASSERT_THAT(::kill(child_, SIGTERM), Succeeds());
  EXPECT_EQ(poll_of(fd_.get(), 10'000), POLLIN);
  EXPECT_THAT(send(fd_.get(), 0), Succeeds()) << "a zombie is there";
  EXPECT_THAT(reap(child_), DiedOf(SIGTERM));
  child_ = 0;
  EXPECT_EQ(poll_of(fd_.get()), POLLIN | POLLHUP);
  EXPECT_THAT(send(fd_.get(), 0), FailsWith(ESRCH));
}

TEST_F(Pidfd, Epoll_hears_of_the_end) {
  const Fd watcher(::epoll_create1(0));
  epoll_event event{.events = EPOLLIN, .data = {.u64 = 7}};
  ASSERT_THAT(::epoll_ctl(watcher.get(), EPOLL_CTL_ADD, fd_.get(), &event), Succeeds());
  EXPECT_THAT(::epoll_wait(watcher.get(), &event, 1, 0), SucceedsWith(0));
  ASSERT_THAT(send(fd_.get(), SIGKILL), Succeeds());
  ASSERT_THAT(::epoll_wait(watcher.get(), &event, 1, 10'000), SucceedsWith(1));
  EXPECT_EQ(event.data.u64, 7U);
}

TEST_F(Pidfd, Sends_signals) {
  ASSERT_THAT(send(fd_.get(), SIGUSR1), Succeeds());
  EXPECT_THAT(reap(child_), DiedOf(SIGUSR1));
  child_ = 0;
}

TEST_F(Pidfd, Sends_what_the_sender_says) {
  static volatile sig_atomic_t value = 0;
  struct sigaction action{};
  action.sa_flags = SA_SIGINFO;
  action.sa_sigaction = [](int, siginfo_t* info, void*) { value = info->si_value.sival_int; };
  ASSERT_THAT(::sigaction(SIGUSR2, &action, nullptr), Succeeds());
  const Fd self(open_pidfd(::getpid()));
  siginfo_t info{};
  info.si_signo = SIGUSR2;
  info.si_code = SI_QUEUE;
  info.si_value.sival_int = 4711;
  ASSERT_THAT(send(self.get(), SIGUSR2, &info), Succeeds());
  EXPECT_EQ(value, 4711);
  EXPECT_THAT(send(self.get(), SIGUSR1, &info), FailsWith(EINVAL)) << "another number";
  info.si_code = SI_USER;
  EXPECT_THAT(send(fd_.get(), SIGUSR2, &info), FailsWith(EPERM)) << "as if by kill";
  ::signal(SIGUSR2, SIG_DFL);
}

TEST_F(Pidfd, Send_checks_its_arguments) {
  const Fd file(::open("/dev/null", O_RDONLY));
  EXPECT_THAT(send(file.get(), 0), FailsWith(EBADF));
  EXPECT_THAT(send(-1, 0), FailsWith(EBADF));
  EXPECT_THAT(send(fd_.get(), 65), FailsWith(EINVAL));
  EXPECT_THAT(send(fd_.get(), 0, nullptr, 8), FailsWith(EINVAL));
  EXPECT_THAT(send(fd_.get(), 0, nullptr, 3), FailsWith(EINVAL)) << "two scopes";
  EXPECT_THAT(send(fd_.get(), 0, static_cast<siginfo_t*>(bad_address())), FailsWith(EFAULT));
}

TEST_F(Pidfd, Sends_to_the_group_that_the_process_leads) {
  EXPECT_THAT(send(fd_.get(), 0, nullptr, 4), FailsWith(ESRCH)) << "it leads none";
  ASSERT_THAT(::setpgid(child_, child_), Succeeds());
  ASSERT_THAT(send(fd_.get(), SIGHUP, nullptr, 4), Succeeds());
  EXPECT_THAT(reap(child_), DiedOf(SIGHUP));
  child_ = 0;
}

TEST_F(Pidfd, Stays_with_its_process) {
  kill_and_reap();
  siginfo_t info{};
  EXPECT_THAT(send(fd_.get(), SIGKILL), FailsWith(ESRCH));
  EXPECT_THAT(get_fd(fd_.get(), 0), FailsWith(ESRCH));
  EXPECT_THAT(wait_id(fd_.get(), &info, WEXITED), FailsWith(ECHILD));
}

TEST_F(Pidfd, Waits_for_its_process) {
  siginfo_t info{};
  info.si_pid = 1;
  EXPECT_THAT(wait_id(fd_.get(), &info, WEXITED | WNOHANG), SucceedsWith(0));
  EXPECT_EQ(info.si_pid, 0) << "none yet";
  ::kill(child_, SIGTERM);
  ASSERT_THAT(wait_id(fd_.get(), &info, WEXITED | WNOWAIT), Succeeds());
  ASSERT_THAT(wait_id(fd_.get(), &info, WEXITED), Succeeds());
  EXPECT_EQ(info.si_pid, child_);
  EXPECT_EQ(info.si_code, CLD_KILLED);
  EXPECT_EQ(info.si_status, SIGTERM);
  child_ = 0;
}

TEST_F(Pidfd, One_that_does_not_block_makes_the_wait_so) {
  const Fd nonblocking(open_pidfd(child_, kPidfdNonblock));
  siginfo_t info{};
  EXPECT_THAT(wait_id(nonblocking.get(), &info, WEXITED), FailsWith(EAGAIN));
  EXPECT_THAT(wait_id(nonblocking.get(), &info, WEXITED | WNOHANG), SucceedsWith(0));
}

TEST_F(Pidfd, Waiting_needs_a_child) {
  const Fd file(::open("/dev/null", O_RDONLY));
  siginfo_t info{};
  EXPECT_THAT(wait_id(file.get(), &info, WEXITED), FailsWith(EBADF));
  EXPECT_THAT(wait_id(-1, &info, WEXITED), FailsWith(EINVAL));
  const Fd self(open_pidfd(::getpid()));
  EXPECT_THAT(wait_id(self.get(), &info, WEXITED), FailsWith(ECHILD));
}

TEST_F(Pidfd, Fetches_a_descriptor_of_its_process) {
  std::array<int, 2> ends{};
  ASSERT_THAT(::pipe(ends.data()), Succeeds());
  const Fd from(ends[0]);
  Fd to(ends[1]);
  const pid_t other = start_sleeper();
  to.reset();
  {
    const Fd pidfd(open_pidfd(other));
    const Fd fetched(static_cast<int>(get_fd(pidfd.get(), ends[1])));
    ASSERT_THAT(fetched.get(), Succeeds());
    EXPECT_THAT(::fcntl(fetched.get(), F_GETFD), SucceedsWith(FD_CLOEXEC));
    EXPECT_THAT(::write(fetched.get(), "x", 1), SucceedsWith(1));
    EXPECT_THAT(get_fd(pidfd.get(), 999), FailsWith(EBADF));
    EXPECT_THAT(get_fd(pidfd.get(), ends[1], 1), FailsWith(EINVAL));
    EXPECT_THAT(get_fd(from.get(), 0), FailsWith(EBADF));
  }
  char byte = 0;
  EXPECT_THAT(::read(from.get(), &byte, 1), SucceedsWith(1));
  EXPECT_EQ(byte, 'x');
  ::kill(other, SIGKILL);
  reap(other);
}

TEST_F(Pidfd, Shows_its_process_in_proc) {
  const std::string number = std::to_string(child_);
  EXPECT_THAT(info(), ::testing::HasSubstr("\nPid:\t" + number + "\nNSpid:\t" + number + "\n"));
  std::array<char, 64> target{};
  const std::string path = "/proc/self/fd/" + std::to_string(fd_.get());
  ASSERT_THAT(::readlink(path.c_str(), target.data(), target.size() - 1), Succeeds());
  EXPECT_STREQ(target.data(), "anon_inode:[pidfd]");
  kill_and_reap();
  EXPECT_THAT(info(), ::testing::HasSubstr("\nPid:\t-1\nNSpid:\t-1\n"));
}

// ---- of threads --------------------------------------------------------------------------------

constexpr unsigned kPidfdThread = O_EXCL;

/// A thread that waits until it is let go.
class Waiter {
 public:
  Waiter() : thread_([this] { run(); }) {
    while (tid_.load() == 0) {
      std::this_thread::yield();
    }
  }
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;
  ~Waiter() { end(); }
  [[nodiscard]] pid_t tid() const { return tid_.load(); }
  void end() {
    if (thread_.joinable()) {
      gate_.store(true);
      gate_.notify_one();
      thread_.join();
    }
  }

 private:
  void run() {
    tid_.store(::gettid());
    gate_.wait(false);
  }
  std::atomic<pid_t> tid_{0};
  std::atomic<bool> gate_{false};
  std::thread thread_;
};

TEST(ThreadPidfd, Names_any_thread_and_says_so) {
  Waiter waiter;
  EXPECT_THAT(open_pidfd(waiter.tid()), FailsWith(ENOENT));
  const Fd fd(open_pidfd(waiter.tid(), kPidfdThread));
  ASSERT_THAT(fd.get(), Succeeds());
  EXPECT_THAT(::fcntl(fd.get(), F_GETFL), SucceedsWith(O_RDWR | O_EXCL));
  EXPECT_THAT(::fcntl(fd.get(), F_GETFD), SucceedsWith(FD_CLOEXEC));
  EXPECT_THAT(open_pidfd(4'000'000, kPidfdThread), FailsWith(ESRCH));
  EXPECT_THAT(open_pidfd(0, kPidfdThread), FailsWith(EINVAL));
  const Fd nonblocking(open_pidfd(waiter.tid(), kPidfdThread | kPidfdNonblock));
  EXPECT_THAT(::fcntl(nonblocking.get(), F_GETFL), SucceedsWith(O_RDWR | O_EXCL | O_NONBLOCK));
  std::ifstream file("/proc/self/fdinfo/" + std::to_string(fd.get()));
  std::stringstream text;
  text << file.rdbuf();
  EXPECT_THAT(text.str(), ::testing::HasSubstr("\nPid:\t" + std::to_string(waiter.tid()) + "\n"));
}

TEST(ThreadPidfd, Hangs_up_when_its_thread_ends) {
  Waiter waiter;
  const Fd fd(open_pidfd(waiter.tid(), kPidfdThread));
  const Fd of_process(open_pidfd(::getpid()));
  const Fd watcher(::epoll_create1(0));
  epoll_event event{.events = EPOLLIN | EPOLLET, .data = {.u64 = 7}};
  ASSERT_THAT(::epoll_ctl(watcher.get(), EPOLL_CTL_ADD, fd.get(), &event), Succeeds());
  EXPECT_EQ(poll_of(fd.get()), 0);
  EXPECT_THAT(send(fd.get(), 0), Succeeds());
  waiter.end();
  EXPECT_EQ(poll_of(fd.get(), 10'000), POLLIN | POLLHUP);
  ASSERT_THAT(::epoll_wait(watcher.get(), &event, 1, 10'000), SucceedsWith(1));
  EXPECT_EQ(event.events, unsigned{EPOLLIN | EPOLLHUP});
  EXPECT_THAT(send(fd.get(), 0), FailsWith(ESRCH));
  EXPECT_THAT(get_fd(fd.get(), 0), FailsWith(ESRCH));
  EXPECT_EQ(poll_of(of_process.get()), 0);
}

std::atomic<pid_t> g_handled_by{0};

TEST(ThreadPidfd, Signals_its_thread) {
  struct sigaction action{};
  action.sa_handler = [](int) { g_handled_by.store(::gettid()); };
  ASSERT_THAT(::sigaction(SIGUSR1, &action, nullptr), Succeeds());
  Waiter waiter;
  const Fd fd(open_pidfd(waiter.tid(), kPidfdThread));
  constexpr unsigned kOneThread = 1;
  for (const unsigned scope : {0U, kOneThread}) {
    g_handled_by.store(0);
    ASSERT_THAT(send(fd.get(), SIGUSR1, nullptr, scope), Succeeds());
    while (g_handled_by.load() == 0) {
      std::this_thread::yield();
    }
    EXPECT_EQ(g_handled_by.load(), waiter.tid()) << scope;
  }
  constexpr unsigned kThreadGroup = 2;
  constexpr unsigned kProcessGroup = 4;
  EXPECT_THAT(send(fd.get(), 0, nullptr, kThreadGroup), Succeeds());
  EXPECT_THAT(send(fd.get(), 0, nullptr, kProcessGroup), FailsWith(ESRCH));
  siginfo_t info{};
  EXPECT_THAT(wait_id(fd.get(), &info, WEXITED | WNOHANG), FailsWith(ECHILD));
  const Fd fetched(static_cast<int>(get_fd(fd.get(), fd.get())));
  EXPECT_THAT(fetched.get(), Succeeds());
  ::signal(SIGUSR1, SIG_DFL);
}

TEST(ThreadPidfd, Of_the_first_thread_ends_with_the_process) {
  const pid_t child = start_sleeper();
  const Fd fd(open_pidfd(child, kPidfdThread));
  EXPECT_EQ(poll_of(fd.get()), 0);
  ASSERT_THAT(send(fd.get(), SIGTERM), Succeeds());
  EXPECT_EQ(poll_of(fd.get(), 10'000), POLLIN);
  const Fd of_zombie(open_pidfd(child, kPidfdThread));
  EXPECT_THAT(of_zombie.get(), Succeeds());
  siginfo_t info{};
  EXPECT_THAT(wait_id(fd.get(), &info, WEXITED), Succeeds());
  EXPECT_EQ(info.si_pid, child);
  EXPECT_EQ(poll_of(fd.get()), POLLIN | POLLHUP);
  EXPECT_THAT(send(fd.get(), 0), FailsWith(ESRCH));
}

TEST(ThreadPidfd, Of_the_first_thread_outlives_it) {
  const pid_t child = ::fork();
  if (child == 0) {
    std::thread([] {
      for (;;) {
        ::pause();
      }
    }).detach();
    ::syscall(SYS_exit, 0);
  }
  const Fd fd(open_pidfd(child, kPidfdThread));
  const std::string status = "/proc/" + std::to_string(child) + "/task/" + std::to_string(child);
  for (int tries = 0; tries < 5'000 && ::access((status + "/stat").c_str(), F_OK) == 0; ++tries) {
    std::ifstream file(status + "/stat");
    std::string number, name, state;
    file >> number >> name >> state;
    if (state == "Z") {
      break;
    }
    ::usleep(1'000);
  }
  EXPECT_EQ(poll_of(fd.get()), 0) << "another thread goes on";
  EXPECT_THAT(send(fd.get(), 0), Succeeds());
  ::kill(child, SIGKILL);
  EXPECT_EQ(poll_of(fd.get(), 10'000), POLLIN);
  reap(child);
}

TEST(ThreadPidfd, Clone_makes_one) {
  // A thread that ends at once, made by hand.
  alignas(16) static std::array<char, 16'384> stack;
  int pidfd = -1;
  clone_args args{};
  args.flags = CLONE_PIDFD | CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD;
  args.pidfd = reinterpret_cast<std::uint64_t>(&pidfd);
  args.stack = reinterpret_cast<std::uint64_t>(stack.data());
  args.stack_size = stack.size();
  long result = SYS_clone3;
  asm volatile(
      "syscall\n\t"
      "test %%rax, %%rax\n\t"
      "jnz 1f\n\t"
      "xor %%edi, %%edi\n\t"
      "mov $60, %%eax\n\t"  // exit
      "syscall\n"
      "1:"
      : "+a"(result)
      : "D"(&args), "S"(sizeof(args))
      : "rcx", "r11", "memory");
  ASSERT_GT(result, 0);
  const Fd made(pidfd);
  EXPECT_THAT(::fcntl(pidfd, F_GETFL), SucceedsWith(O_RDWR | O_EXCL));
  EXPECT_EQ(poll_of(pidfd, 10'000), POLLIN | POLLHUP);
}

TEST_F(Pidfd, Clone_makes_one) {
  int pidfd = -1;
  clone_args args{};
  args.flags = CLONE_PIDFD;
  args.pidfd = reinterpret_cast<std::uint64_t>(&pidfd);
  args.exit_signal = SIGCHLD;
  const auto child = static_cast<pid_t>(::syscall(SYS_clone3, &args, sizeof(args)));
  ASSERT_THAT(child, Succeeds());
  if (child == 0) {
    ::_exit(pidfd == -1 ? 42 : 1);
  }
  const Fd made(pidfd);
  EXPECT_THAT(::fcntl(pidfd, F_GETFD), SucceedsWith(FD_CLOEXEC));
  siginfo_t info{};
  ASSERT_THAT(wait_id(pidfd, &info, WEXITED), Succeeds());
  EXPECT_EQ(info.si_pid, child);
  EXPECT_EQ(info.si_status, 42);
}

TEST_F(Pidfd, Clone_checks_where_it_goes) {
  clone_args args{};
  args.flags = CLONE_PIDFD;
  args.pidfd = reinterpret_cast<std::uint64_t>(bad_address());
  args.exit_signal = SIGCHLD;
  EXPECT_THAT(::syscall(SYS_clone3, &args, sizeof(args)), FailsWith(EFAULT));
  int number = 0;
  EXPECT_THAT(::syscall(SYS_clone, CLONE_PIDFD | CLONE_PARENT_SETTID | SIGCHLD, 0, &number, 0, 0),
              FailsWith(EINVAL));
  EXPECT_THAT(::waitpid(-1, nullptr, WNOHANG), SucceedsWith(0)) << "no child came of it";
}

}  // namespace
