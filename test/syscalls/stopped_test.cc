// SPDX-License-Identifier: Apache-2.0
// A process that is stopped in a call and continued: most calls go on, for as long as was left of
// them; some are interrupted without any handler (signal(7)).
#include <linux/futex.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>

#include <array>
#include <csignal>
#include <fstream>
#include <functional>
#include <string>

#include "syscall_test.h"

namespace {

constexpr long kMillisecond = 1'000'000;
constexpr int kWhole = 700, kBefore = 100, kStopped = 300;  // milliseconds

timespec milliseconds(long count) {
  return {.tv_sec = count / 1000, .tv_nsec = count % 1000 * kMillisecond};
}

long now_ms() {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000 + time.tv_nsec / kMillisecond;
}

void sleep_ms(long count) {
  timespec left = milliseconds(count);
  while (::nanosleep(&left, &left) != 0) {
  }
}

bool is_asleep(pid_t process) {
  std::ifstream file("/proc/" + std::to_string(process) + "/stat");
  std::string number, name, state;
  file >> number >> name >> state;
  return state == "S";
}

struct Outcome {
  int error = -1;
  long took = 0;
};

/// The call is made in a child, which is stopped and continued in it.
Outcome stop_in(const std::function<long()>& call) {
  std::array<int, 2> ends{};
  EXPECT_THAT(::pipe(ends.data()), Succeeds());
  const Fd from(ends[0]);
  Fd to(ends[1]);
  const pid_t child = ::fork();
  if (child == 0) {
    const long start = now_ms();
    const long result = call();
    const Outcome outcome{.error = result < 0 ? errno : 0, .took = now_ms() - start};
    ::_exit(::write(to.get(), &outcome, sizeof outcome) == sizeof outcome ? 0 : 1);
  }
  to.reset();
  while (!is_asleep(child)) {
    sleep_ms(1);
  }
  sleep_ms(kBefore);
  EXPECT_THAT(::kill(child, SIGSTOP), Succeeds());
  int status = 0;
  EXPECT_THAT(::waitpid(child, &status, WUNTRACED), SucceedsWith(child));
  EXPECT_TRUE(WIFSTOPPED(status));
  sleep_ms(kStopped);
  EXPECT_THAT(::kill(child, SIGCONT), Succeeds());
  Outcome outcome;
  EXPECT_THAT(::read(from.get(), &outcome, sizeof outcome), SucceedsWith(sizeof outcome));
  EXPECT_THAT(reap(child), Exited(0));
  return outcome;
}

/// It lasted as long as it was to, the stop included.
void expect_whole(const Outcome& outcome, int error) {
  EXPECT_EQ(outcome.error, error) << error_name(outcome.error);
  EXPECT_GE(outcome.took, kWhole - 1);
  EXPECT_LT(outcome.took, kWhole + kStopped / 2);
}

/// The stop did not count: what was left when it began was left when it ended.
void expect_prolonged(const Outcome& outcome, int error) {
  EXPECT_EQ(outcome.error, error) << error_name(outcome.error);
  EXPECT_GE(outcome.took, kWhole + kStopped - 50);
  EXPECT_LT(outcome.took, 2 * kWhole) << "the time began again";
}

void expect_interrupted(const Outcome& outcome) {
  EXPECT_EQ(outcome.error, EINTR) << error_name(outcome.error);
  EXPECT_GE(outcome.took, kBefore + kStopped - 50);
  EXPECT_LT(outcome.took, kWhole);
}

TEST(Stopped, Sleeps_last_as_long_as_they_were_to) {
  const timespec time = milliseconds(kWhole);
  expect_whole(stop_in([&] { return ::nanosleep(&time, nullptr); }), 0);
  expect_whole(stop_in([&] {
                 const int error = ::clock_nanosleep(CLOCK_REALTIME, 0, &time, nullptr);
                 errno = error;
                 return error == 0 ? 0 : -1;
               }),
               0);
}

TEST(Stopped, Poll_ends_when_it_was_to) {
  expect_whole(stop_in([] { return ::poll(nullptr, 0, kWhole); }), 0);
}

TEST(Stopped, What_writes_the_time_left_begins_again_with_that) {
  const timespec time = milliseconds(kWhole);
  expect_prolonged(stop_in([&] { return ::ppoll(nullptr, 0, &time, nullptr); }), 0);
  expect_prolonged(stop_in([] {
                     timeval left{.tv_sec = 0, .tv_usec = kWhole * 1000};
                     return ::select(0, nullptr, nullptr, nullptr, &left);
                   }),
                   0);
  expect_prolonged(stop_in([&] { return ::pselect(0, nullptr, nullptr, nullptr, &time, nullptr); }),
                   0);
}

TEST(Stopped, Futexes_go_on) {
  static int word = 0;
  const timespec time = milliseconds(kWhole);
  expect_whole(stop_in([&] {
                 return ::syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, &time, nullptr, 0);
               }),
               ETIMEDOUT);
  expect_whole(stop_in([&] {
                 timespec until{};
                 ::clock_gettime(CLOCK_MONOTONIC, &until);
                 until.tv_sec += (until.tv_nsec + kWhole * kMillisecond) / 1'000'000'000;
                 until.tv_nsec = (until.tv_nsec + kWhole * kMillisecond) % 1'000'000'000;
                 return ::syscall(SYS_futex, &word, FUTEX_WAIT_BITSET_PRIVATE, 0, &until, nullptr,
                                  FUTEX_BITSET_MATCH_ANY);
               }),
               ETIMEDOUT);
}

/// `release` ends the call, well after the stop.
void expect_to_go_on(const std::function<long()>& call, const std::function<bool()>& release) {
  const pid_t other = ::fork();
  if (other == 0) {
    sleep_ms(kWhole + kStopped);
    ::_exit(release() ? 0 : 1);
  }
  const Outcome outcome = stop_in(call);
  EXPECT_EQ(outcome.error, 0) << error_name(outcome.error);
  EXPECT_THAT(reap(other), Exited(0));
}

TEST(Stopped, Waits_without_an_end_go_on) {
  std::array<int, 2> ends{};
  ASSERT_THAT(::pipe(ends.data()), Succeeds());
  const Fd from(ends[0]);
  const Fd to(ends[1]);
  char byte = 0;
  expect_to_go_on([&] { return ::read(from.get(), &byte, 1); },
                  [&] { return ::write(to.get(), "x", 1) == 1; });

  const int queue = ::msgget(IPC_PRIVATE, 0600);
  ASSERT_THAT(queue, Succeeds());
  std::array<long, 2> message{1, 2};
  expect_to_go_on([&] { return ::msgrcv(queue, message.data(), sizeof(long), 0, 0); },
                  [&] { return ::msgsnd(queue, message.data(), sizeof(long), 0) == 0; });
  ::msgctl(queue, IPC_RMID, nullptr);

  const Fd watcher(::inotify_init1(0));
  ASSERT_THAT(::inotify_add_watch(watcher.get(), "/", IN_ACCESS | IN_OPEN), Succeeds());
  std::array<char, 4096> events{};
  expect_to_go_on([&] { return ::read(watcher.get(), events.data(), events.size()); },
                  [] { return ::open("/", O_RDONLY) >= 0; });
}

TEST(Stopped, Nobody_is_who_was_killed) {
  for (int i = 0; i < 50; ++i) {
    const pid_t child = ::fork();
    if (child == 0) {
      for (;;) {
        ::pause();
      }
    }
    // The thread's own signals come before the process's.
    EXPECT_THAT(::syscall(SYS_tgkill, child, child, SIGSTOP), Succeeds());
    EXPECT_THAT(::kill(child, SIGKILL), Succeeds());
    int status = 0;
    EXPECT_THAT(::waitpid(child, &status, 0), SucceedsWith(child));
    EXPECT_EQ(WTERMSIG(status), SIGKILL);
  }
}

TEST(Stopped, Epoll_is_interrupted) {
  expect_interrupted(stop_in([] {
    const Fd watcher(::epoll_create1(0));
    epoll_event event{};
    return ::epoll_wait(watcher.get(), &event, 1, kWhole);
  }));
}

TEST(Stopped, Waiting_for_signals_is_interrupted) {
  expect_interrupted(stop_in([] {
    sigset_t set;
    ::sigemptyset(&set);
    ::sigaddset(&set, SIGUSR1);
    ::sigprocmask(SIG_BLOCK, &set, nullptr);
    const timespec time = milliseconds(kWhole);
    return ::sigtimedwait(&set, nullptr, &time);
  }));
}

TEST(Stopped, Semaphores_are_interrupted) {
  const int set = ::semget(IPC_PRIVATE, 1, 0600);
  ASSERT_THAT(set, Succeeds());
  expect_interrupted(stop_in([&] {
    sembuf take{.sem_num = 0, .sem_op = -1, .sem_flg = 0};
    const timespec time = milliseconds(kWhole);
    return ::semtimedop(set, &take, 1, &time);
  }));
  ::semctl(set, 0, IPC_RMID);
}

TEST(Stopped, Sockets_with_a_time_out_are_interrupted) {
  expect_interrupted(stop_in([] {
    std::array<int, 2> pair{};
    ::socketpair(AF_UNIX, SOCK_STREAM, 0, pair.data());
    const timeval limit{.tv_sec = 0, .tv_usec = kWhole * 1000};
    ::setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    char byte = 0;
    return ::recv(pair[0], &byte, 1, 0);
  }));
}

}  // namespace
