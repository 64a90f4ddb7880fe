// SPDX-License-Identifier: Apache-2.0
// Signals to other processes: who may, who is meant, what arrives.
#include <sys/syscall.h>

#include <csignal>
#include <vector>

#include "syscall_test.h"

namespace {

TEST(Kill, Nobody_of_that_number) {
  EXPECT_THAT(::kill(1 << 20, 0), FailsWith(ESRCH));
  EXPECT_THAT(::kill(-(1 << 20), 0), FailsWith(ESRCH));
  EXPECT_THAT(::kill(INT_MIN, 0), FailsWith(ESRCH));
  EXPECT_THAT(::kill(0, 65), FailsWith(EINVAL));
  EXPECT_THAT(::kill(0, -1), FailsWith(EINVAL));
}

TEST(Kill, A_zombie_is_still_somebody) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::_exit(0);
  }
  siginfo_t info{};
  ASSERT_THAT(::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT), Succeeds());
  EXPECT_THAT(::kill(child, 0), SucceedsWith(0));
  EXPECT_THAT(::kill(child, SIGKILL), SucceedsWith(0));
  EXPECT_THAT(reap(child), Exited(0));
  EXPECT_THAT(::kill(child, 0), FailsWith(ESRCH));
}

TEST(Kill, Each_default_action_that_ends) {
  for (const int number :
       {SIGHUP, SIGINT, SIGQUIT, SIGABRT, SIGKILL, SIGUSR1, SIGSEGV, SIGPIPE, SIGALRM, SIGTERM,
        SIGSTKFLT, SIGXCPU, SIGVTALRM, SIGIO, SIGSYS, 34, 64}) {
    const pid_t child = start_sleeper();
    EXPECT_THAT(::kill(child, number), Succeeds());
    int status = -1;
    ::waitpid(child, &status, 0);
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == number) << number;
  }
}

TEST(Kill, What_is_ignored_by_default_does_nothing) {
  const pid_t child = start_sleeper();
  for (const int number : {SIGCHLD, SIGCONT, SIGURG, SIGWINCH}) {
    EXPECT_THAT(::kill(child, number), Succeeds());
  }
  int status = 0;
  EXPECT_THAT(::waitpid(child, &status, WNOHANG), SucceedsWith(0));
  ::kill(child, SIGKILL);
  reap(child);
}

TEST(Kill, A_group) {
  std::vector<pid_t> children;
  for (int i = 0; i < 3; ++i) {
    children.push_back(start_sleeper());
    ASSERT_THAT(::setpgid(children.back(), children.front()), Succeeds());
  }
  const pid_t other = start_sleeper();
  EXPECT_THAT(::kill(-children.front(), SIGTERM), Succeeds());
  for (const pid_t child : children) {
    EXPECT_THAT(reap(child), DiedOf(SIGTERM));
  }
  int status = 0;
  EXPECT_THAT(::waitpid(other, &status, WNOHANG), SucceedsWith(0));
  ::kill(other, SIGKILL);
  reap(other);
}

TEST(Kill, Other_users_may_not) {
  if (::getuid() != 0) {
    GTEST_SKIP() << "needs two users";
  }
  const pid_t child = start_sleeper();
  EXPECT_THAT(in_child([child] {
                if (::setgid(1000) != 0 || ::setuid(1000) != 0) {
                  return 1;
                }
                const bool refused = ::kill(child, SIGTERM) < 0 && errno == EPERM;
                const bool continued = ::kill(child, SIGCONT) == 0;  // of the same session
                return refused && continued ? 0 : 2;
              }),
              Exited(0));
  ::kill(child, SIGKILL);
  reap(child);
}

TEST(Kill, A_blocked_signal_waits) {
  int ends[2];
  ASSERT_THAT(::pipe(ends), Succeeds());
  const pid_t child = ::fork();
  if (child == 0) {
    sigset_t set;
    ::sigemptyset(&set);
    ::sigaddset(&set, SIGTERM);
    ::sigprocmask(SIG_BLOCK, &set, nullptr);
    char byte = 1;
    (void)!::write(ends[1], &byte, 1);
    siginfo_t info{};
    const int number = ::sigwaitinfo(&set, &info);
    ::_exit(number == SIGTERM && info.si_code == SI_USER && info.si_pid == ::getppid() ? 0 : 1);
  }
  char byte = 0;
  EXPECT_THAT(::read(ends[0], &byte, 1), SucceedsWith(1));
  EXPECT_THAT(::kill(child, SIGTERM), Succeeds());
  EXPECT_THAT(reap(child), Exited(0));
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST(Kill, Queued_signals_carry_a_value_in_order) {
  int ends[2];
  ASSERT_THAT(::pipe(ends), Succeeds());
  const pid_t child = ::fork();
  if (child == 0) {
    sigset_t set;
    ::sigemptyset(&set);
    ::sigaddset(&set, SIGRTMIN);
    ::sigprocmask(SIG_BLOCK, &set, nullptr);
    char byte = 1;
    (void)!::write(ends[1], &byte, 1);
    int sum = 0;
    for (int i = 0; i < 3; ++i) {
      siginfo_t info{};
      ::sigwaitinfo(&set, &info);
      sum = sum * 10 + info.si_value.sival_int;
    }
    ::_exit(sum);
  }
  char byte = 0;
  EXPECT_THAT(::read(ends[0], &byte, 1), SucceedsWith(1));
  for (const int value : {1, 2, 3}) {
    sigval data{};
    data.sival_int = value;
    EXPECT_THAT(::sigqueue(child, SIGRTMIN, data), Succeeds());
  }
  EXPECT_THAT(reap(child), Exited(123));
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST(Kill, A_queued_signal_does_not_pretend_to_be_the_kernels) {
  const pid_t child = start_sleeper();
  siginfo_t info{};
  info.si_code = SI_USER;
  EXPECT_THAT(::syscall(SYS_rt_sigqueueinfo, child, SIGTERM, &info), FailsWith(EPERM));
  info.si_code = SI_TKILL;
  EXPECT_THAT(::syscall(SYS_rt_sigqueueinfo, child, SIGTERM, &info), FailsWith(EPERM));
  ::kill(child, SIGKILL);
  reap(child);
}

TEST(Kill, Threads_are_named_with_their_process) {
  const pid_t child = start_sleeper();
  EXPECT_THAT(::syscall(SYS_tgkill, child, child, 0), SucceedsWith(0));
  EXPECT_THAT(::syscall(SYS_tgkill, ::getpid(), child, SIGTERM), FailsWith(ESRCH));
  EXPECT_THAT(::syscall(SYS_tgkill, 0, child, SIGTERM), FailsWith(EINVAL));
  EXPECT_THAT(::syscall(SYS_tkill, -1, SIGTERM), FailsWith(EINVAL));
  EXPECT_THAT(::syscall(SYS_tkill, child, SIGTERM), SucceedsWith(0));
  EXPECT_THAT(reap(child), DiedOf(SIGTERM));
}

TEST(Job, A_stop_from_the_terminal_does_nothing_in_an_orphaned_group) {
  // The group of a session's leader has no parent in the session.
  const pid_t child = ::fork();
  if (child == 0) {
    ::setsid();
    ::raise(SIGTSTP);
    ::_exit(3);
  }
  int status = 0;
  EXPECT_THAT(::waitpid(child, &status, WUNTRACED), SucceedsWith(child));
  EXPECT_THAT(status, Exited(3));
}

TEST(Job, A_handler_of_SIGCONT_runs_after_going_on) {
  int ends[2];
  ASSERT_THAT(::pipe(ends), Succeeds());
  const pid_t child = ::fork();
  if (child == 0) {
    static int writer;
    writer = ends[1];
    ::signal(SIGCONT, [](int) {
      const char byte = 'c';
      (void)!::write(writer, &byte, 1);
    });
    ::raise(SIGSTOP);
    ::_exit(4);
  }
  int status = 0;
  EXPECT_THAT(::waitpid(child, &status, WUNTRACED), SucceedsWith(child));
  EXPECT_TRUE(WIFSTOPPED(status));
  ::kill(child, SIGCONT);
  char byte = 0;
  EXPECT_THAT(::read(ends[0], &byte, 1), SucceedsWith(1));
  EXPECT_THAT(reap(child), Exited(4));
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST(Job, Stopped_members_of_a_group_that_becomes_orphaned_are_hung_up) {
  int ends[2];
  ASSERT_THAT(::pipe(ends), Succeeds());
  // A session of its own: leader, middle (a group of its own), stopped member of that group.
  const pid_t leader = ::fork();
  if (leader == 0) {
    ::setsid();
    const pid_t middle = ::fork();
    if (middle == 0) {
      ::setpgid(0, 0);
      static int writer;
      writer = ends[1];
      ::signal(SIGHUP, [](int) {
        const char byte = 'h';
        (void)!::write(writer, &byte, 1);
        ::_exit(0);
      });
      ::raise(SIGSTOP);
      ::_exit(9);
    }
    int status = 0;
    ::waitpid(middle, &status, WUNTRACED);
    ::_exit(WIFSTOPPED(status) ? 0 : 1);  // nobody of the session is left to continue it
  }
  EXPECT_THAT(reap(leader), Exited(0));
  char byte = 0;
  EXPECT_THAT(::read(ends[0], &byte, 1), SucceedsWith(1));
  EXPECT_EQ(byte, 'h');
  ::close(ends[0]);
  ::close(ends[1]);
  while (::getpid() == 1 && ::waitpid(-1, nullptr, 0) > 0) {
  }
}

}  // namespace
