// SPDX-License-Identifier: Apache-2.0
// Clocks, sleeps, timers, and CPU time.
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/times.h>
#include <time.h>

#include <array>
#include <atomic>
#include <csignal>
#include <thread>

#include "syscall_test.h"

namespace {

constexpr std::int64_t kMs = 1'000'000;

std::int64_t to_ns(const timespec& time) {
  return time.tv_sec * 1'000'000'000L + time.tv_nsec;
}
timespec from_ns(std::int64_t value) {
  return {value / 1'000'000'000, value % 1'000'000'000};
}
std::int64_t now(clockid_t clock = CLOCK_MONOTONIC) {
  timespec time{};
  ::clock_gettime(clock, &time);
  return to_ns(time);
}
void burn(std::int64_t ns) {
  const std::int64_t end = now(CLOCK_THREAD_CPUTIME_ID) + ns;
  while (now(CLOCK_THREAD_CPUTIME_ID) < end) {
  }
}

void block(int number) {
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, number);
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
}
int wait_for(int number, siginfo_t* info, std::int64_t ns = 20'000 * kMs) {
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, number);
  const timespec timeout = from_ns(ns);
  return ::sigtimedwait(&set, info, &timeout);
}

/// A timer that ends with the test.
class Timer {
 public:
  Timer(clockid_t clock, int notify, int number = SIGRTMIN, int value = 7) {
    sigevent event{};
    event.sigev_notify = notify;
    event.sigev_signo = number;
    event.sigev_value.sival_int = value;
    EXPECT_THAT(::timer_create(clock, &event, &id_), Succeeds());
  }
  ~Timer() { ::timer_delete(id_); }
  int set(std::int64_t value, std::int64_t interval = 0, int flags = 0) {
    const itimerspec when{from_ns(interval), from_ns(value)};
    return ::timer_settime(id_, flags, &when, nullptr);
  }
  itimerspec get() {
    itimerspec left{};
    EXPECT_THAT(::timer_gettime(id_, &left), Succeeds());
    return left;
  }
  timer_t id() const { return id_; }

 private:
  timer_t id_{};
};

TEST(Timers, Send_their_signal_with_its_value) {
  block(SIGRTMIN);
  Timer timer(CLOCK_MONOTONIC, SIGEV_SIGNAL);
  const std::int64_t began = now();
  EXPECT_THAT(timer.set(20 * kMs), Succeeds());
  siginfo_t info{};
  EXPECT_THAT(wait_for(SIGRTMIN, &info), SucceedsWith(SIGRTMIN));
  EXPECT_GE(now() - began, 20 * kMs);
  EXPECT_EQ(info.si_code, SI_TIMER);
  EXPECT_EQ(info.si_value.sival_int, 7);
  EXPECT_EQ(info.si_overrun, 0);
  EXPECT_EQ(to_ns(timer.get().it_value), 0);
}

TEST(Timers, Expire_at_a_time_of_their_clock) {
  block(SIGRTMIN);
  for (const clockid_t clock : {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME}) {
    Timer timer(clock, SIGEV_SIGNAL);
    const std::int64_t when = now(clock) + 10 * kMs;
    EXPECT_THAT(timer.set(when, 0, TIMER_ABSTIME), Succeeds());
    EXPECT_THAT(wait_for(SIGRTMIN, nullptr), SucceedsWith(SIGRTMIN));
    EXPECT_GE(now(clock), when);
    EXPECT_THAT(timer.set(1, 0, TIMER_ABSTIME), Succeeds());  // long past
    EXPECT_THAT(wait_for(SIGRTMIN, nullptr), SucceedsWith(SIGRTMIN));
  }
}

TEST(Timers, Count_what_passed_while_their_signal_was_pending) {
  block(SIGRTMIN);
  Timer timer(CLOCK_MONOTONIC, SIGEV_SIGNAL);
  EXPECT_THAT(timer.set(kMs, kMs), Succeeds());
  const timespec pause{0, 50 * kMs};
  ::nanosleep(&pause, nullptr);
  siginfo_t info{};
  EXPECT_THAT(wait_for(SIGRTMIN, &info), SucceedsWith(SIGRTMIN));
  EXPECT_GE(info.si_overrun, 30);
  EXPECT_THAT(::timer_getoverrun(timer.id()), SucceedsWith(info.si_overrun));
  EXPECT_THAT(wait_for(SIGRTMIN, &info), SucceedsWith(SIGRTMIN));
  EXPECT_LT(info.si_overrun, 30);
}

TEST(Timers, Without_a_signal_only_tell_the_time) {
  Timer timer(CLOCK_MONOTONIC, SIGEV_NONE);
  EXPECT_THAT(timer.set(1000 * kMs, 500 * kMs), Succeeds());
  EXPECT_GT(to_ns(timer.get().it_value), 0);
  EXPECT_EQ(to_ns(timer.get().it_interval), 500 * kMs);
}

TEST(Timers, Send_to_the_thread_that_was_named) {
  block(SIGRTMIN + 1);
  std::atomic<bool> got{false};
  std::thread thread([&got] {
    sigevent event{};
    event.sigev_notify = SIGEV_THREAD_ID;
    event.sigev_signo = SIGRTMIN + 1;
    event._sigev_un._tid = static_cast<pid_t>(::syscall(SYS_gettid));
    timer_t id{};
    EXPECT_THAT(::timer_create(CLOCK_MONOTONIC, &event, &id), Succeeds());
    const itimerspec when{{0, 0}, {0, kMs}};
    EXPECT_THAT(::timer_settime(id, 0, &when, nullptr), Succeeds());
    got = wait_for(SIGRTMIN + 1, nullptr) == SIGRTMIN + 1;
    ::timer_delete(id);
  });
  thread.join();
  EXPECT_TRUE(got);
}

TEST(Timers, Refuse_what_they_are_not) {
  sigevent event{};
  timer_t id{};
  event.sigev_notify = SIGEV_SIGNAL;
  event.sigev_signo = 65;
  EXPECT_THAT(::timer_create(CLOCK_MONOTONIC, &event, &id), FailsWith(EINVAL));
  event.sigev_signo = SIGUSR1;
  EXPECT_THAT(::timer_create(99, &event, &id), FailsWith(EINVAL));
  EXPECT_THAT(::timer_create(CLOCK_MONOTONIC_RAW, &event, &id), FailsWith(EOPNOTSUPP));
  EXPECT_THAT(::syscall(SYS_timer_delete, 4711), FailsWith(EINVAL));
  EXPECT_THAT(::syscall(SYS_timer_gettime, 4711, &event), FailsWith(EINVAL));
  Timer timer(CLOCK_MONOTONIC, SIGEV_NONE);
  const itimerspec bad{{0, 0}, {0, 1'000'000'000}};
  EXPECT_THAT(::timer_settime(timer.id(), 0, &bad, nullptr), FailsWith(EINVAL));
}

TEST(Timers, On_a_cpu_clock_count_work_alone) {
  block(SIGRTMIN);
  for (const clockid_t clock : {CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID}) {
    Timer timer(clock, SIGEV_SIGNAL);
    EXPECT_THAT(timer.set(30 * kMs), Succeeds());
    EXPECT_THAT(wait_for(SIGRTMIN, nullptr, 60 * kMs), FailsWith(EAGAIN));
    burn(80 * kMs);
    EXPECT_THAT(wait_for(SIGRTMIN, nullptr, 0), SucceedsWith(SIGRTMIN));
  }
}

TEST(Intervals, Real_ones_run_while_the_process_sleeps) {
  block(SIGALRM);
  const itimerval when{{0, 0}, {0, 20'000}};
  const std::int64_t began = now();
  EXPECT_THAT(::setitimer(ITIMER_REAL, &when, nullptr), Succeeds());
  EXPECT_THAT(wait_for(SIGALRM, nullptr), SucceedsWith(SIGALRM));
  EXPECT_GE(now() - began, 20 * kMs);
  EXPECT_EQ(::alarm(100), 0U);
  EXPECT_EQ(::alarm(0), 100U);
}

TEST(Intervals, Real_ones_go_on_when_their_signal_is_taken) {
  block(SIGALRM);
  const itimerval when{{0, 1'000}, {0, 1'000}};
  EXPECT_THAT(::setitimer(ITIMER_REAL, &when, nullptr), Succeeds());
  sigset_t pending{};
  while (::sigismember(&pending, SIGALRM) == 0) {
    ::sigpending(&pending);
  }
  itimerval left{};
  EXPECT_THAT(::getitimer(ITIMER_REAL, &left), Succeeds());
  EXPECT_EQ(left.it_value.tv_usec, 0);
  EXPECT_EQ(left.it_interval.tv_usec, 1'000);
  EXPECT_THAT(wait_for(SIGALRM, nullptr), SucceedsWith(SIGALRM));
  EXPECT_THAT(wait_for(SIGALRM, nullptr), SucceedsWith(SIGALRM));
  const itimerval none{};
  EXPECT_THAT(::setitimer(ITIMER_REAL, &none, nullptr), Succeeds());
}

void nothing(int) {}

/// A process of its own that does `begin` and waits for its end.
template <typename Begin>
class Beside {
 public:
  explicit Beside(Begin begin) : child_(::fork()) {
    if (child_ == 0) {
      begin();
      for (;;) {
        ::pause();
      }
    }
  }
  Beside(const Beside&) = delete;
  Beside& operator=(const Beside&) = delete;
  ~Beside() {
    ::kill(child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
  }

 private:
  pid_t child_;
};

TEST(Intervals, However_short_leave_others_their_time) {
  const auto every_microsecond = [] {
    const itimerval when{{0, 1}, {0, 1}};
    ::setitimer(ITIMER_REAL, &when, nullptr);
  };
  const Beside blocked([&] {
    block(SIGALRM);
    every_microsecond();
  });
  const Beside ignored([&] {
    ::signal(SIGALRM, SIG_IGN);
    every_microsecond();
  });
  const Beside handled([&] {
    ::signal(SIGALRM, nothing);
    every_microsecond();
  });
  burn(100 * kMs);
}

TEST(Timers, However_short_leave_others_their_time) {
  for (void (*const handler)(int) : {SIG_IGN, static_cast<void (*)(int)>(nothing)}) {
    const Beside child([handler] {
      ::signal(SIGUSR1, handler);
      Timer every_nanosecond(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGUSR1);
      every_nanosecond.set(1, 1);
      for (;;) {
        ::pause();
      }
    });
    burn(100 * kMs);
  }
}

TEST(Intervals, Virtual_ones_run_while_it_works) {
  for (const auto& [which, number] :
       {std::pair{ITIMER_VIRTUAL, SIGVTALRM}, std::pair{ITIMER_PROF, SIGPROF}}) {
    block(number);
    const itimerval when{{0, 10'000}, {0, 10'000}};
    EXPECT_THAT(::setitimer(which, &when, nullptr), Succeeds());
    EXPECT_THAT(wait_for(number, nullptr, 50 * kMs), FailsWith(EAGAIN));
    // Linux counts by its ticks: on a busy machine they may all find somebody else at work.
    int taken = -1;
    for (int tries = 0; tries < 50 && taken != number; ++tries) {
      burn(120 * kMs);
      taken = wait_for(number, nullptr, 0);
    }
    EXPECT_EQ(taken, number);
    itimerval left{};
    const itimerval none{};
    EXPECT_THAT(::setitimer(which, &none, &left), Succeeds());
    EXPECT_EQ(left.it_interval.tv_usec, 10'000);
  }
  EXPECT_THAT(::getitimer(static_cast<__itimer_which>(7), nullptr), FailsWith(EINVAL));
}

TEST(Sleeps, Tell_what_was_left) {
  ::signal(SIGALRM, nothing);
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGALRM);
  ::pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
  const itimerval when{{0, 0}, {0, 10'000}};
  ::setitimer(ITIMER_REAL, &when, nullptr);
  const timespec request{10, 0};
  timespec left{};
  EXPECT_THAT(::nanosleep(&request, &left), FailsWith(EINTR));
  EXPECT_GT(to_ns(left), 5'000 * kMs);
  EXPECT_LT(to_ns(left), 10'000 * kMs);
  ::signal(SIGALRM, SIG_DFL);
}

TEST(Sleeps, Go_on_after_a_stop) {
  const pid_t child = ::fork();
  if (child == 0) {
    const timespec request{0, 100 * kMs};
    timespec left{};
    const std::int64_t began = now();
    const int result = ::nanosleep(&request, &left);
    ::_exit(result == 0 && now() - began >= 100 * kMs ? 0 : 1);
  }
  const timespec pause{0, 20 * kMs};
  ::nanosleep(&pause, nullptr);
  EXPECT_THAT(::kill(child, SIGSTOP), Succeeds());
  ::nanosleep(&pause, nullptr);
  EXPECT_THAT(::kill(child, SIGCONT), Succeeds());
  int status = -1;
  EXPECT_THAT(::waitpid(child, &status, 0), SucceedsWith(child));
  EXPECT_THAT(status, Exited(0));
}

TEST(Sleeps, Until_a_time_end_there) {
  for (const clockid_t clock : {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_TAI}) {
    const timespec end = from_ns(now(clock) + 10 * kMs);
    EXPECT_EQ(::clock_nanosleep(clock, TIMER_ABSTIME, &end, nullptr), 0);
    EXPECT_GE(now(clock), to_ns(end));
    const timespec past{1, 0};
    EXPECT_EQ(::clock_nanosleep(clock, TIMER_ABSTIME, &past, nullptr), 0);
  }
  const timespec bad{0, -1};
  EXPECT_EQ(::clock_nanosleep(CLOCK_MONOTONIC, 0, &bad, nullptr), EINVAL);
  EXPECT_EQ(::clock_nanosleep(CLOCK_MONOTONIC_RAW, 0, &bad, nullptr), EOPNOTSUPP);
  EXPECT_EQ(::clock_nanosleep(99, 0, &bad, nullptr), EINVAL);
}

TEST(CpuTime, Passes_with_work_and_not_with_sleep) {
  const std::int64_t process = now(CLOCK_PROCESS_CPUTIME_ID);
  const std::int64_t thread = now(CLOCK_THREAD_CPUTIME_ID);
  burn(30 * kMs);
  EXPECT_GE(now(CLOCK_PROCESS_CPUTIME_ID) - process, 30 * kMs);
  const std::int64_t worked = now(CLOCK_THREAD_CPUTIME_ID);
  EXPECT_GE(worked - thread, 30 * kMs);
  const timespec pause{0, 100 * kMs};
  ::nanosleep(&pause, nullptr);
  EXPECT_LT(now(CLOCK_THREAD_CPUTIME_ID) - worked, 50 * kMs);
}

TEST(CpuTime, Of_threads_adds_up) {
  rusage before{}, after{}, own{};
  ::getrusage(RUSAGE_SELF, &before);
  std::thread([] { burn(50 * kMs); }).join();
  ::getrusage(RUSAGE_SELF, &after);
  ::getrusage(RUSAGE_THREAD, &own);
  const auto total = [](const rusage& usage) {
    return usage.ru_utime.tv_sec * 1'000'000 + usage.ru_utime.tv_usec +
           usage.ru_stime.tv_sec * 1'000'000 + usage.ru_stime.tv_usec;
  };
  EXPECT_GE(total(after) - total(before), 49'000);
  EXPECT_LE(total(own), total(after));
}

TEST(CpuTime, Of_children_is_known_when_they_were_waited_for) {
  rusage usage{};
  EXPECT_THAT(in_child([] {
                burn(60 * kMs);
                return 0;
              }),
              Exited(0));
  EXPECT_THAT(::getrusage(RUSAGE_CHILDREN, &usage), Succeeds());
  EXPECT_GE(usage.ru_utime.tv_sec * 1'000'000 + usage.ru_utime.tv_usec +
                usage.ru_stime.tv_sec * 1'000'000 + usage.ru_stime.tv_usec,
            59'000);
  tms times{};
  EXPECT_NE(::times(&times), static_cast<clock_t>(-1));
  EXPECT_GE(times.tms_cutime + times.tms_cstime, 5);
  EXPECT_THAT(::getrusage(7, &usage), FailsWith(EINVAL));
}

TEST(CpuTime, Is_limited) {
  EXPECT_THAT(in_child([] {
                const rlimit limit{1, 3};
                ::setrlimit(RLIMIT_CPU, &limit);
                burn(2500 * kMs);
                return 0;
              }),
              DiedOf(SIGXCPU));
}

TEST(Clocks, Of_a_process_have_a_number) {
  clockid_t clock = 0;
  EXPECT_EQ(::clock_getcpuclockid(::getpid(), &clock), 0);
  timespec time{};
  EXPECT_THAT(::clock_gettime(clock, &time), Succeeds());
  EXPECT_GT(to_ns(time), 0);
  EXPECT_THAT(::syscall(SYS_clock_gettime, 99, &time), FailsWith(EINVAL));
  EXPECT_THAT(::syscall(SYS_clock_getres, 99, &time), FailsWith(EINVAL));
}

TEST(Clocks, Are_not_set_by_programs) {
  timespec time{};
  ::clock_gettime(CLOCK_REALTIME, &time);
  EXPECT_THAT(::clock_settime(CLOCK_REALTIME, &time), FailsWith(EPERM));
  EXPECT_THAT(::clock_settime(CLOCK_MONOTONIC, &time), FailsWith(EINVAL));
  time.tv_nsec = -1;
  EXPECT_THAT(::clock_settime(CLOCK_REALTIME, &time), FailsWith(EINVAL));
}

}  // namespace
