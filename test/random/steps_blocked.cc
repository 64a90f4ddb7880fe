// SPDX-License-Identifier: Apache-2.0
// A call that sleeps, in a child, and what its parent does meanwhile: signals with and without a
// restart, a stop and its end, and at last what the call waits for. The parent acts when /proc says
// that the child sleeps.
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include "steps.h"

namespace random_calls {
namespace {

struct Shared {
  long value;
  int error;
  unsigned caught;
  std::uint32_t word;
};

/// Ends of what is slept on; the child works with the first, the parent with the second.
struct Ends {
  std::array<int, 2> fds{-1, -1};
  Shared* shared = nullptr;
};

struct Sleep {
  const char* name;
  void (*prepare)(Ends&);
  long (*sleep)(Ends&);
  void (*satisfy)(Ends&);  // null: nothing but a signal ends it
};

void make_pipe(Ends& ends) {
  (void)!::pipe(ends.fds.data());
}
void make_pair(Ends& ends) {
  (void)!::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.fds.data());
}
void make_counter(Ends& ends) {
  ends.fds[0] = ::eventfd(0, 0);
  ends.fds[1] = ::dup(ends.fds[0]);
}
void make_full_pipe(Ends& ends) {
  (void)!::pipe(ends.fds.data());
  std::swap(ends.fds[0], ends.fds[1]);
  ::fcntl(ends.fds[0], F_SETFL, O_NONBLOCK);
  std::array<char, 4096> bytes{};
  while (::write(ends.fds[0], bytes.data(), bytes.size()) > 0) {
  }
  ::fcntl(ends.fds[0], F_SETFL, 0);
}
void make_locked(Ends& ends) {
  ends.fds[1] = ::open("locked", O_RDWR | O_CREAT, 0600);
  (void)!::flock(ends.fds[1], LOCK_EX);
  struct flock lock{};
  lock.l_type = F_WRLCK;
  ::fcntl(ends.fds[1], F_SETLK, &lock);
  ends.fds[0] = ::open("locked", O_RDWR);
}
void make_nothing(Ends& /*ends*/) {}

void write_word(Ends& ends) {
  const std::uint64_t value = 3;
  (void)!::write(ends.fds[1], &value, sizeof(value));
}
void drain(Ends& ends) {
  std::array<char, 8192> bytes;
  (void)!::read(ends.fds[1], bytes.data(), bytes.size());
}
void unlock(Ends& ends) {
  (void)!::flock(ends.fds[1], LOCK_UN);
  struct flock lock{};
  lock.l_type = F_UNLCK;
  ::fcntl(ends.fds[1], F_SETLK, &lock);
}
void wake(Ends& ends) {
  ends.shared->word = 1;
  ::syscall(SYS_futex, &ends.shared->word, FUTEX_WAKE, 1, nullptr, nullptr, 0);
}

long read_word(Ends& ends) {
  std::uint64_t value = 0;
  return ::read(ends.fds[0], &value, sizeof(value));
}
long write_bytes(Ends& ends) {
  std::array<char, 4096> bytes{};
  return ::write(ends.fds[0], bytes.data(), bytes.size());
}
long receive(Ends& ends) {
  std::array<char, 8> bytes{};
  return ::recv(ends.fds[0], bytes.data(), bytes.size(), 0);
}
long receive_in_time(Ends& ends) {
  const timeval limit{1000, 0};
  ::setsockopt(ends.fds[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  return receive(ends);
}
long poll_forever(Ends& ends) {
  pollfd poll{ends.fds[0], POLLIN, 0};
  return ::poll(&poll, 1, -1);
}
long poll_long(Ends& ends) {
  pollfd poll{ends.fds[0], POLLIN, 0};
  return ::poll(&poll, 1, 1'000'000);
}
long ppoll_long(Ends& ends) {
  pollfd poll{ends.fds[0], POLLIN, 0};
  const timespec limit{1000, 0};
  return ::ppoll(&poll, 1, &limit, nullptr);
}
long select_forever(Ends& ends) {
  fd_set set;
  FD_ZERO(&set);
  FD_SET(ends.fds[0], &set);
  return ::select(ends.fds[0] + 1, &set, nullptr, nullptr, nullptr);
}
long select_long(Ends& ends) {
  fd_set set;
  FD_ZERO(&set);
  FD_SET(ends.fds[0], &set);
  timeval limit{1000, 0};
  return ::select(ends.fds[0] + 1, &set, nullptr, nullptr, &limit);
}
long epoll_long(Ends& ends) {
  const int fd = ::epoll_create1(0);
  epoll_event event{};
  event.events = EPOLLIN;
  ::epoll_ctl(fd, EPOLL_CTL_ADD, ends.fds[0], &event);
  return ::epoll_wait(fd, &event, 1, 1'000'000);
}
long wait_flock(Ends& ends) {
  return ::flock(ends.fds[0], LOCK_EX);
}
long wait_lock(Ends& ends) {
  struct flock lock{};
  lock.l_type = F_WRLCK;
  return ::fcntl(ends.fds[0], F_SETLKW, &lock);
}
long wait_futex(Ends& ends) {
  return ::syscall(SYS_futex, &ends.shared->word, FUTEX_WAIT, 0, nullptr, nullptr, 0);
}
long wait_futex_long(Ends& ends) {
  const timespec limit{1000, 0};
  return ::syscall(SYS_futex, &ends.shared->word, FUTEX_WAIT, 0, &limit, nullptr, 0);
}
long sleep_long(Ends& /*ends*/) {
  const timespec limit{1000, 0};
  timespec left{};
  const int answer = ::nanosleep(&limit, &left);
  return answer == 0 ? 0 : left.tv_sec > 900 ? -1 : -2;
}
long sleep_until(Ends& /*ends*/) {
  timespec limit{};
  ::clock_gettime(CLOCK_MONOTONIC, &limit);
  limit.tv_sec += 1000;
  const int error = ::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &limit, nullptr);
  errno = error;
  return error == 0 ? 0 : -1;
}
long pause_here(Ends& /*ends*/) {
  return ::pause();
}
long suspend(Ends& /*ends*/) {
  sigset_t none;
  sigemptyset(&none);
  return ::sigsuspend(&none);
}
long wait_signal(Ends& /*ends*/) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGHUP);
  return ::sigwaitinfo(&set, nullptr);
}
long wait_child(Ends& ends) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::signal(SIGUSR1, SIG_DFL);
    ::close(ends.fds[1]);
    (void)read_word(ends);
    ::_exit(7);
  }
  int status = 0;
  const pid_t got = ::waitpid(child, &status, 0);
  if (got < 0) {
    const int error = errno;
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    errno = error;
    return -1;
  }
  return status;
}

constexpr std::array<Sleep, 22> kSleeps{{
    {"read pipe", make_pipe, read_word, write_word},
    {"write pipe", make_full_pipe, write_bytes, drain},
    {"read eventfd", make_counter, read_word, write_word},
    {"recv", make_pair, receive, write_word},
    {"recv in time", make_pair, receive_in_time, write_word},
    {"poll", make_pipe, poll_forever, write_word},
    {"poll long", make_pair, poll_long, write_word},
    {"ppoll long", make_pipe, ppoll_long, write_word},
    {"select", make_pipe, select_forever, write_word},
    {"select long", make_counter, select_long, write_word},
    {"epoll_wait", make_pipe, epoll_long, write_word},
    {"flock", make_locked, wait_flock, unlock},
    {"setlkw", make_locked, wait_lock, unlock},
    {"futex", make_nothing, wait_futex, wake},
    {"futex long", make_nothing, wait_futex_long, wake},
    {"nanosleep", make_nothing, sleep_long, nullptr},
    {"clock_nanosleep", make_nothing, sleep_until, nullptr},
    {"pause", make_nothing, pause_here, nullptr},
    {"sigsuspend", make_nothing, suspend, nullptr},
    {"sigwaitinfo", make_nothing, wait_signal, nullptr},
    {"waitpid", make_pipe, wait_child, write_word},
    {"poll nothing", make_nothing, poll_long, nullptr},
}};

/// The state letter of /proc/PID/stat.
char state_of(pid_t child) {
  std::array<char, 256> text{};
  const int fd = ::open(("/proc/" + std::to_string(child) + "/stat").c_str(), O_RDONLY);
  const ssize_t n = ::read(fd, text.data(), text.size() - 1);
  ::close(fd);
  const char* const end = n > 0 ? std::strrchr(text.data(), ')') : nullptr;
  return end != nullptr ? end[2] : 'X';
}

/// Until it sleeps, is stopped or has ended.
char settled(pid_t child) {
  const timespec pause{0, 300'000};
  char state = 'R';
  int same = 0;
  // Twice in a row: a page may have been waited for.
  for (int tries = 0; tries < 20'000 && same < 2; ++tries) {
    const char now = state_of(child);
    same = now == state && now != 'R' && now != 'D' ? same + 1 : 0;
    state = now;
    ::nanosleep(&pause, nullptr);
  }
  return state;
}

void run_child(const Sleep& sleep, Ends& ends, std::uint32_t handler) {
  for (const int number : kSignals) {
    ::signal(number, SIG_DFL);
  }
  struct sigaction action{};
  action.sa_handler = handler == 2 ? SIG_IGN : on_signal;
  action.sa_flags = handler == 1 ? SA_RESTART : 0;
  ::sigaction(SIGUSR1, &action, nullptr);
  g_world.caught = {};
  sigset_t set;
  sigemptyset(&set);
  ::sigprocmask(SIG_SETMASK, &set, nullptr);
  if (sleep.sleep == wait_signal) {
    sigaddset(&set, SIGHUP);
    ::sigprocmask(SIG_BLOCK, &set, nullptr);
  }
  errno = 0;
  ends.shared->value = sleep.sleep(ends);
  ends.shared->error = errno;
  ends.shared->caught = g_world.caught[SIGUSR1];
  ::_exit(0);
}

}  // namespace

void step_blocked(Random& random) {
  const Sleep& sleep = kSleeps[random.below(kSleeps.size())];
  const std::uint32_t handler = random.below(3);
  Ends ends;
  ends.shared = static_cast<Shared*>(
      ::mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  say("blocked in %s, SIGUSR1 %u", sleep.name, handler);
  sigset_t block, before;
  sigfillset(&block);
  ::sigprocmask(SIG_BLOCK, &block, &before);
  struct sigaction old{};
  ::sigaction(SIGCHLD, nullptr, &old);
  ::signal(SIGCHLD, SIG_DFL);
  sleep.prepare(ends);
  const pid_t child = ::fork();
  if (child == 0) {
    run_child(sleep, ends, handler);
  }
  char state = settled(child);
  say(" %c", state);
  for (std::uint32_t left = random.below(4); left > 0 && state == 'S'; --left) {
    // A wait with a limit of its own ends at a stop too on Linux, in the guest only at a handler.
    const std::uint32_t action = random.below(3) + (sleep.sleep == receive_in_time ? 1 : 0);
    if (action == 0) {
      say(" stop");
      ::kill(child, SIGSTOP);
      ::waitpid(child, nullptr, WUNTRACED);
      if (random.one_in(3)) {
        ::kill(child, SIGUSR1);
        say(" signal");
      }
      ::kill(child, SIGCONT);
    } else {
      say(" signal");
      ::kill(child, SIGUSR1);
    }
    // One signal at a time; the child may be on its way into the handler.
    for (int i = 0; i < 3; ++i) {
      state = settled(child);
    }
    say(" %c", state);
  }
  if (state == 'S') {
    if (sleep.satisfy != nullptr) {
      say(" satisfy");
      sleep.satisfy(ends);
    } else if (sleep.sleep == wait_signal) {
      say(" hup");
      ::kill(child, SIGHUP);
    } else {
      ::kill(child, SIGKILL);
    }
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  say(" status %x value %ld error %d caught %u", static_cast<unsigned>(status) & ~0x80U,
      ends.shared->value, ends.shared->error, ends.shared->caught);
  ::close(ends.fds[0]);
  ::close(ends.fds[1]);
  ::unlink("locked");
  ::munmap(ends.shared, kPage);
  siginfo_t info{};
  sigset_t chld;
  sigemptyset(&chld);
  sigaddset(&chld, SIGCHLD);
  const timespec now{0, 0};
  ::sigtimedwait(&chld, &info, &now);
  ::sigaction(SIGCHLD, &old, nullptr);
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
}

}  // namespace random_calls
