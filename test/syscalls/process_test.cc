// SPDX-License-Identifier: Apache-2.0
// fork, vfork, clone, exec, exit, wait4, waitid, and what a family shares and inherits.
#include <linux/sched.h>
#include <sched.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <array>
#include <csignal>
#include <vector>

#include "syscall_test.h"

extern char** environ;

namespace {

/// A byte stream from children to the test.
class Report {
 public:
  Report() {
    int ends[2];
    EXPECT_THAT(::pipe2(ends, O_CLOEXEC), Succeeds());
    read_end_ = Fd(ends[0]);
    write_end_ = Fd(ends[1]);
  }
  template <typename T>
  void send(const T& value) const {
    (void)!::write(write_end_.get(), &value, sizeof value);
  }
  /// Blocks until a child has sent one.
  template <typename T>
  T receive() const {
    T value{};
    EXPECT_EQ(::read(read_end_.get(), &value, sizeof value), static_cast<ssize_t>(sizeof value));
    return value;
  }

 private:
  Fd read_end_, write_end_;
};

long raw_clone(unsigned long flags) {
  return ::syscall(SYS_clone, flags, 0, 0, 0, 0);
}

TEST(Fork, The_child_has_a_number_of_its_own_and_the_parent_as_parent) {
  const pid_t self = ::getpid();
  const Report report;
  const pid_t child = ::fork();
  if (child == 0) {
    report.send(std::array<pid_t, 2>{::getpid(), ::getppid()});
    ::_exit(0);
  }
  const auto told = report.receive<std::array<pid_t, 2>>();
  EXPECT_EQ(told[0], child);
  EXPECT_EQ(told[1], self);
  EXPECT_NE(child, self);
  EXPECT_THAT(reap(child), Exited(0));
}

TEST(Fork, Private_memory_is_copied_and_shared_memory_is_not) {
  int own = 1;
  auto* const shared = static_cast<int*>(
      ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  ASSERT_NE(shared, MAP_FAILED);
  *shared = 1;
  EXPECT_THAT(in_child([&] {
                own = 2;
                *shared = 2;
                return own;
              }),
              Exited(2));
  EXPECT_EQ(own, 1);
  EXPECT_EQ(*shared, 2);
  ::munmap(shared, 4096);
}

TEST(Fork, Memory_advised_so_is_not_inherited_or_wiped) {
  auto* const wiped = static_cast<char*>(
      ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  auto* const gone = static_cast<char*>(
      ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  *wiped = *gone = 1;
  ASSERT_THAT(::madvise(wiped, 4096, MADV_WIPEONFORK), Succeeds());
  ASSERT_THAT(::madvise(gone, 4096, MADV_DONTFORK), Succeeds());
  EXPECT_THAT(in_child([&] { return *wiped; }), Exited(0));
  EXPECT_THAT(in_child([&] { return *gone; }), DiedOf(SIGSEGV));
  EXPECT_EQ(*wiped, 1);
  EXPECT_EQ(*gone, 1);
}

TEST(Fork, Descriptors_are_copied_and_share_their_position) {
  const Fd plain{::open("/etc/passwd", O_RDONLY)};
  const int fd = plain.get();
  ASSERT_THAT(fd, Succeeds());
  EXPECT_THAT(in_child([&] {
                ::lseek(fd, 3, SEEK_SET);
                ::close(fd);
                return 0;
              }),
              Exited(0));
  EXPECT_THAT(::lseek(fd, 0, SEEK_CUR), SucceedsWith(3));
}

TEST(Fork, Place_and_mask_are_copied) {
  ASSERT_THAT(::chdir("/"), Succeeds());
  ::umask(022);
  EXPECT_THAT(in_child([] {
                const int inherited = static_cast<int>(::umask(077));
                return ::chdir("/tmp") == 0 ? inherited : -1;
              }),
              Exited(022));
  std::array<char, 64> cwd{};
  ::getcwd(cwd.data(), cwd.size());
  EXPECT_STREQ(cwd.data(), "/");
  EXPECT_EQ(::umask(022), 022U);
}

TEST(Fork, Limits_name_and_blocked_signals_are_inherited_and_pending_ones_are_not) {
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGUSR1);
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
  ::raise(SIGUSR1);
  ::prctl(PR_SET_NAME, "parent");
  EXPECT_THAT(in_child([] {
                sigset_t blocked;
                sigset_t pending;
                ::sigprocmask(SIG_BLOCK, nullptr, &blocked);
                ::sigpending(&pending);
                std::array<char, 16> name{};
                ::prctl(PR_GET_NAME, name.data());
                return ::sigismember(&blocked, SIGUSR1) == 1 &&
                               ::sigismember(&pending, SIGUSR1) == 0 &&
                               std::strcmp(name.data(), "parent") == 0
                           ? 0
                           : 1;
              }),
              Exited(0));
  ::signal(SIGUSR1, SIG_IGN);
  ::sigprocmask(SIG_UNBLOCK, &set, nullptr);
  ::signal(SIGUSR1, SIG_DFL);
}

TEST(Fork, A_thousand_in_a_row) {
  for (int i = 0; i < 1000; ++i) {
    ASSERT_THAT(in_child([&] { return i % 100; }), Exited(i % 100));
  }
}

TEST(Fork, Fifty_at_once) {
  std::vector<pid_t> children;
  for (int i = 0; i < 50; ++i) {
    children.push_back(::fork());
    if (children.back() == 0) {
      ::_exit(i);
    }
    ASSERT_THAT(children.back(), Succeeds());
  }
  for (int i = 49; i >= 0; --i) {
    EXPECT_THAT(reap(children[static_cast<std::size_t>(i)]), Exited(i));
  }
}

TEST(Fork, Ends_at_the_limit_of_processes) {
  if (::getuid() == 0) {
    GTEST_SKIP() << "root is not bound";
  }
  EXPECT_THAT(in_child([] {
                const rlimit limit{8, 8};
                ::setrlimit(RLIMIT_NPROC, &limit);
                std::vector<pid_t> children;
                pid_t child = 0;
                while (children.size() < 100 && (child = ::fork()) > 0) {
                  children.push_back(child);
                }
                if (child == 0) {
                  ::pause();
                  ::_exit(0);
                }
                const int error = errno;
                for (const pid_t one : children) {
                  ::kill(one, SIGKILL);
                  ::waitpid(one, nullptr, 0);
                }
                return child < 0 && error == EAGAIN && children.size() < 8 ? 0 : 1;
              }),
              Exited(0));
}

// A busy process does not keep another from running.
TEST(Fork, Two_busy_processes_take_turns) {
  auto* const turns = static_cast<volatile int*>(
      ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  const pid_t child = ::fork();
  if (child == 0) {
    for (;;) {
      turns[0] = turns[0] + 1;
    }
  }
  const int seen = turns[0];
  while (turns[0] == seen) {
  }
  EXPECT_THAT(::kill(child, SIGKILL), Succeeds());
  EXPECT_THAT(reap(child), DiedOf(SIGKILL));
}

TEST(Clone, Refuses_what_makes_no_sense) {
  EXPECT_THAT(raw_clone(CLONE_SIGHAND), FailsWith(EINVAL));
  EXPECT_THAT(raw_clone(CLONE_THREAD), FailsWith(EINVAL));
  EXPECT_THAT(raw_clone(CLONE_THREAD | CLONE_VM), FailsWith(EINVAL));
  EXPECT_THAT(raw_clone(CLONE_NEWNS | CLONE_FS | SIGCHLD), FailsWith(EINVAL));
  EXPECT_THAT(raw_clone(CLONE_NEWUSER | CLONE_FS | SIGCHLD), FailsWith(EINVAL));
  EXPECT_THAT(raw_clone(CLONE_PIDFD | CLONE_PARENT_SETTID | SIGCHLD), FailsWith(EINVAL));
}

TEST(Clone, Refuses_malformed_arguments_of_clone3) {
  clone_args args{};
  const auto call = [&args](std::size_t size) { return ::syscall(SYS_clone3, &args, size); };
  EXPECT_THAT(call(CLONE_ARGS_SIZE_VER0 - 1), FailsWith(EINVAL));
  EXPECT_THAT(call(8192), FailsWith(E2BIG));
  EXPECT_THAT(::syscall(SYS_clone3, bad_address(), sizeof args), FailsWith(EFAULT));
  args.flags = SIGCHLD;
  EXPECT_THAT(call(sizeof args), FailsWith(EINVAL));
  args = {};
  args.exit_signal = 65;
  EXPECT_THAT(call(sizeof args), FailsWith(EINVAL));
  args = {};
  args.stack_size = 4096;
  EXPECT_THAT(call(sizeof args), FailsWith(EINVAL));
  args = {};
  args.flags = CLONE_SIGHAND | CLONE_CLEAR_SIGHAND | CLONE_VM;
  EXPECT_THAT(call(sizeof args), FailsWith(EINVAL));
}

TEST(Clone, Clone3_forks) {
  clone_args args{};
  pid_t told = 0;
  args.flags = CLONE_PARENT_SETTID;
  args.parent_tid = reinterpret_cast<std::uintptr_t>(&told);
  args.exit_signal = SIGCHLD;
  const long child = ::syscall(SYS_clone3, &args, sizeof args);
  if (child == 0) {
    ::_exit(5);
  }
  ASSERT_THAT(child, Succeeds());
  EXPECT_EQ(told, child);
  EXPECT_THAT(reap(static_cast<pid_t>(child)), Exited(5));
}

TEST(Clone, Shares_descriptors_and_place_when_asked) {
  ASSERT_THAT(::chdir("/"), Succeeds());
  const Fd file{::open("/etc/passwd", O_RDONLY)};
  const long child = raw_clone(CLONE_FILES | CLONE_FS | SIGCHLD);
  if (child == 0) {
    ::close(file.get());
    ::_exit(::chdir("/tmp"));
  }
  EXPECT_THAT(reap(static_cast<pid_t>(child)), Exited(0));
  EXPECT_THAT(::fcntl(file.get(), F_GETFD), FailsWith(EBADF));
  std::array<char, 64> cwd{};
  ::getcwd(cwd.data(), cwd.size());
  EXPECT_STREQ(cwd.data(), "/tmp");
  ASSERT_THAT(::chdir("/"), Succeeds());
}

int child_of_shared_memory(void* argument) {
  *static_cast<int*>(argument) = 7;
  return 3;
}

TEST(Clone, A_process_in_the_same_memory) {
  std::vector<char> stack(64 * 1024);
  int value = 0;
  const int child =
      ::clone(&child_of_shared_memory, stack.data() + stack.size(), CLONE_VM | SIGCHLD, &value);
  ASSERT_THAT(child, Succeeds());
  EXPECT_THAT(reap(child), Exited(3));
  EXPECT_EQ(value, 7);
}

TEST(Clone, A_child_without_a_signal_is_waited_for_as_a_clone) {
  const long child = raw_clone(0);
  if (child == 0) {
    ::_exit(1);
  }
  int status = 0;
  EXPECT_THAT(::waitpid(static_cast<pid_t>(child), &status, 0), FailsWith(ECHILD));
  EXPECT_THAT(::waitpid(static_cast<pid_t>(child), &status, __WCLONE), SucceedsWith(child));
  EXPECT_THAT(status, Exited(1));
}

TEST(Clone, A_sibling_has_the_callers_parent) {
  const Report report;
  EXPECT_THAT(in_child([&] {
                if (raw_clone(CLONE_PARENT | SIGCHLD) == 0) {
                  report.send(::getppid());
                  ::_exit(0);
                }
                int status = 0;
                return ::wait(&status) < 0 && errno == ECHILD ? 0 : 1;
              }),
              Exited(0));
  EXPECT_EQ(report.receive<pid_t>(), ::getpid());
  int status = 0;
  EXPECT_THAT(::wait(&status), Succeeds());
}

TEST(Vfork, The_parent_goes_on_when_the_child_has_ended) {
  volatile int seen = 0;
  const pid_t child = ::vfork();
  if (child == 0) {
    seen = 1;
    ::_exit(4);
  }
  EXPECT_EQ(seen, 1);
  EXPECT_THAT(reap(child), Exited(4));
}

std::string output_of(const std::vector<const char*>& words) {
  int ends[2];
  EXPECT_THAT(::pipe(ends), Succeeds());
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
  ::posix_spawn_file_actions_addclose(&actions, ends[0]);
  std::vector<char*> argv;
  for (const char* word : words) {
    argv.push_back(const_cast<char*>(word));
  }
  argv.push_back(nullptr);
  pid_t child = -1;
  EXPECT_EQ(::posix_spawn(&child, argv[0], &actions, nullptr, argv.data(), environ), 0);
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  std::string text;
  std::array<char, 256> buffer{};
  for (ssize_t n = 0; (n = ::read(ends[0], buffer.data(), buffer.size())) > 0;) {
    text.append(buffer.data(), static_cast<std::size_t>(n));
  }
  ::close(ends[0]);
  EXPECT_THAT(reap(child), Exited(0));
  return text;
}

TEST(Spawn, Runs_a_program) {
  EXPECT_EQ(output_of({"/bin/echo", "a", "b"}), "a b\n");
}

TEST(Spawn, Says_why_it_could_not) {
  pid_t child = 0;
  char* argv[] = {const_cast<char*>("x"), nullptr};
  EXPECT_EQ(::posix_spawn(&child, "/nowhere/x", nullptr, nullptr, argv, environ), ENOENT);
  int status = 0;
  EXPECT_THAT(::wait(&status), FailsWith(ECHILD));
}

TEST(Spawn, Runs_a_pipeline) {
  EXPECT_EQ(
      output_of({"/bin/sh", "-c", "seq 1 100 | cat | cat | cat | cat | cat | cat | cat | wc -l"}),
      "100\n");
}

TEST(Wait, Nobody_to_wait_for) {
  int status = 0;
  EXPECT_THAT(::wait(&status), FailsWith(ECHILD));
  EXPECT_THAT(::waitpid(-1, &status, WNOHANG), FailsWith(ECHILD));
  EXPECT_THAT(::waitpid(1 << 20, &status, 0), FailsWith(ECHILD));
  EXPECT_THAT(::waitpid(INT_MIN, &status, 0), FailsWith(ESRCH));
  EXPECT_THAT(::waitpid(-1, &status, 0x400), FailsWith(EINVAL));
}

TEST(Wait, Nothing_yet) {
  const pid_t child = start_sleeper();
  int status = 77;
  EXPECT_THAT(::waitpid(child, &status, WNOHANG), SucceedsWith(0));
  EXPECT_EQ(status, 77);
  ::kill(child, SIGTERM);
  EXPECT_THAT(reap(child), DiedOf(SIGTERM));
}

TEST(Wait, Waitid_tells_and_may_leave_the_child) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::_exit(9);
  }
  siginfo_t info{};
  ASSERT_THAT(::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT), SucceedsWith(0));
  EXPECT_EQ(info.si_signo, SIGCHLD);
  EXPECT_EQ(info.si_code, CLD_EXITED);
  EXPECT_EQ(info.si_pid, child);
  EXPECT_EQ(info.si_uid, ::getuid());
  EXPECT_EQ(info.si_status, 9);
  EXPECT_THAT(reap(child), Exited(9));
  EXPECT_THAT(::waitid(P_ALL, 0, &info, WEXITED | WNOHANG), FailsWith(ECHILD));
  EXPECT_THAT(::waitid(P_ALL, 0, &info, WNOHANG), FailsWith(EINVAL));
  EXPECT_THAT(::waitid(P_PID, 0, &info, WEXITED), FailsWith(EINVAL));
  EXPECT_THAT(::waitid(static_cast<idtype_t>(9), 0, &info, WEXITED), FailsWith(EINVAL));
}

TEST(Wait, Waitid_without_news_says_so_with_zeros) {
  const pid_t child = start_sleeper();
  siginfo_t info;
  std::memset(&info, 0xff, sizeof info);
  EXPECT_THAT(::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOHANG), SucceedsWith(0));
  EXPECT_EQ(info.si_signo, 0);
  EXPECT_EQ(info.si_pid, 0);
  ::kill(child, SIGKILL);
  ::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED);
  EXPECT_EQ(info.si_code, CLD_KILLED);
  EXPECT_EQ(info.si_status, SIGKILL);
}

TEST(Wait, Chooses_by_group) {
  const pid_t leader = ::fork();
  if (leader == 0) {
    ::setpgid(0, 0);
    ::_exit(1);
  }
  const pid_t other = ::fork();
  if (other == 0) {
    ::_exit(2);
  }
  ::setpgid(leader, leader);
  int status = 0;
  EXPECT_THAT(::waitpid(0, &status, 0), SucceedsWith(other));
  EXPECT_THAT(::waitpid(-leader, &status, 0), SucceedsWith(leader));
  EXPECT_THAT(status, Exited(1));
}

TEST(Wait, Stops_and_continues_are_told_when_asked_for) {
  const pid_t child = start_sleeper();
  int status = 0;
  EXPECT_THAT(::kill(child, SIGSTOP), Succeeds());
  EXPECT_THAT(::waitpid(child, &status, WUNTRACED), SucceedsWith(child));
  EXPECT_TRUE(WIFSTOPPED(status));
  EXPECT_EQ(WSTOPSIG(status), SIGSTOP);
  EXPECT_THAT(::waitpid(child, &status, WUNTRACED | WNOHANG), SucceedsWith(0));
  EXPECT_THAT(::kill(child, SIGCONT), Succeeds());
  EXPECT_THAT(::waitpid(child, &status, WCONTINUED), SucceedsWith(child));
  EXPECT_TRUE(WIFCONTINUED(status));
  EXPECT_THAT(::kill(child, SIGKILL), Succeeds());
  EXPECT_THAT(reap(child), DiedOf(SIGKILL));
}

TEST(Wait, A_stopped_child_can_be_killed) {
  const pid_t child = start_sleeper();
  siginfo_t info{};
  ::kill(child, SIGSTOP);
  ASSERT_THAT(::waitid(P_PID, static_cast<id_t>(child), &info, WSTOPPED), Succeeds());
  EXPECT_EQ(info.si_code, CLD_STOPPED);
  EXPECT_EQ(info.si_status, SIGSTOP);
  ::kill(child, SIGKILL);
  EXPECT_THAT(reap(child), DiedOf(SIGKILL));
}

TEST(Wait, Ignoring_SIGCHLD_leaves_no_zombies) {
  ::signal(SIGCHLD, SIG_IGN);
  const pid_t child = ::fork();
  if (child == 0) {
    ::_exit(0);
  }
  int status = 0;
  EXPECT_THAT(::waitpid(child, &status, 0), FailsWith(ECHILD));
  ::signal(SIGCHLD, SIG_DFL);
}

volatile sig_atomic_t g_children_seen;
siginfo_t g_child_info;
void on_child(int, siginfo_t* info, void*) {
  g_children_seen = g_children_seen + 1;
  g_child_info = *info;
}

TEST(Wait, SIGCHLD_says_which_and_how) {
  struct sigaction action{};
  action.sa_sigaction = &on_child;
  action.sa_flags = SA_SIGINFO | SA_RESTART;
  ::sigaction(SIGCHLD, &action, nullptr);
  g_children_seen = 0;
  const pid_t child = ::fork();
  if (child == 0) {
    ::_exit(6);
  }
  EXPECT_THAT(reap(child), Exited(6));
  EXPECT_EQ(g_children_seen, 1);
  EXPECT_EQ(g_child_info.si_code, CLD_EXITED);
  EXPECT_EQ(g_child_info.si_pid, child);
  EXPECT_EQ(g_child_info.si_status, 6);
  ::signal(SIGCHLD, SIG_DFL);
}

TEST(Orphan, Goes_to_the_nearest_subreaper) {
  ASSERT_THAT(::prctl(PR_SET_CHILD_SUBREAPER, 1), Succeeds());
  const Report report;
  EXPECT_THAT(in_child([&] {
                report.send(start_sleeper());
                return 0;
              }),
              Exited(0));
  const pid_t orphan = report.receive<pid_t>();
  int status = 0;
  EXPECT_THAT(::waitpid(orphan, &status, WNOHANG), SucceedsWith(0));  // it is ours now
  EXPECT_THAT(::kill(orphan, SIGKILL), Succeeds());
  EXPECT_THAT(reap(orphan), DiedOf(SIGKILL));
  ::prctl(PR_SET_CHILD_SUBREAPER, 0);
}

TEST(Orphan, Hears_of_its_parents_death_when_it_asked) {
  const Report report;
  EXPECT_THAT(in_child([&] {
                sigset_t set;
                ::sigemptyset(&set);
                ::sigaddset(&set, SIGUSR1);
                ::sigprocmask(SIG_BLOCK, &set, nullptr);
                const Report ready;
                if (::fork() == 0) {
                  ::prctl(PR_SET_PDEATHSIG, SIGUSR1);
                  ready.send(1);
                  int number = 0;
                  ::sigwait(&set, &number);
                  report.send(number);
                  ::_exit(0);
                }
                ready.receive<int>();
                return 0;
              }),
              Exited(0));
  EXPECT_EQ(report.receive<int>(), SIGUSR1);
  while (::getpid() == 1 && ::wait(nullptr) < 0 && errno == EINTR) {
  }
}

TEST(Exec, Keeps_ignored_signals_and_resets_handlers) {
  EXPECT_THAT(in_child([] {
                ::signal(SIGUSR1, SIG_IGN);
                ::signal(SIGUSR2, [](int) {});
                ::execl("/bin/sh", "sh", "-c", "kill -USR1 $$; kill -USR2 $$; exit 3", nullptr);
                return 1;
              }),
              DiedOf(SIGUSR2));
}

TEST(Exec, Closes_what_is_marked_in_a_table_of_its_own) {
  const Fd marked{::open("/etc/passwd", O_RDONLY | O_CLOEXEC)};
  const long child = raw_clone(CLONE_FILES | SIGCHLD);
  if (child == 0) {
    ::execl("/bin/sh", "sh", "-c", "exit 0", nullptr);
    ::_exit(1);
  }
  EXPECT_THAT(reap(static_cast<pid_t>(child)), Exited(0));
  EXPECT_THAT(::fcntl(marked.get(), F_GETFD), Succeeds());  // the sharer keeps it
}

TEST(Exec, An_argument_that_is_too_long) {
  EXPECT_THAT(in_child([] {
                const std::string longest(131'071, 'x');
                const std::string longer(131'072, 'x');
                ::execl("/bin/true", "true", longer.c_str(), nullptr);
                if (errno != E2BIG) {
                  return 1;
                }
                ::execl("/bin/true", "true", longest.c_str(), nullptr);
                return 2;
              }),
              Exited(0));
}

/// A program that root has put into /scratch, run by uid 1000: its wait status.
int run_as_user(mode_t mode) {
  const std::string program = "/scratch/program";
  EXPECT_THAT(in_child([&] {
                ::execl("/bin/cp", "cp", "/bin/busybox", program.c_str(), nullptr);
                return 1;
              }),
              Exited(0));
  EXPECT_THAT(::chmod(program.c_str(), mode), Succeeds());
  const int status = in_child([&] {
    if (::setgid(1000) != 0 || ::setuid(1000) != 0) {
      return 100;
    }
    ::execl(program.c_str(), "sh", "-c", "exit $(id -u | cut -c1)", nullptr);
    return errno;
  });
  ::unlink(program.c_str());
  return status;
}

TEST(Exec, A_program_that_may_be_executed_need_not_be_readable) {
  if (::getuid() != 0) {
    GTEST_SKIP() << "needs two users";
  }
  EXPECT_THAT(run_as_user(0711), Exited(1));
  EXPECT_THAT(run_as_user(0744), Exited(EACCES));
}

TEST(Exec, Arguments_and_environment_count_together) {
  EXPECT_THAT(in_child([] {
                const rlimit stack{1 << 20, 1 << 20};  // a quarter of it: 256 KiB
                ::setrlimit(RLIMIT_STACK, &stack);
                const std::string half(100'000, 'x');
                std::vector<char*> argv{const_cast<char*>("true"), const_cast<char*>(half.c_str()),
                                        nullptr};
                std::vector<char*> env{const_cast<char*>(half.c_str()),
                                       const_cast<char*>(half.c_str()), nullptr};
                ::execve("/bin/true", argv.data(), env.data());
                if (errno != E2BIG) {
                  return 1;
                }
                env.erase(env.begin());
                ::execve("/bin/true", argv.data(), env.data());
                return 2;
              }),
              Exited(0));
}

TEST(Affinity, Of_nobody) {
  cpu_set_t set;
  CPU_ZERO(&set);
  EXPECT_THAT(::sched_getaffinity(-1, sizeof set, &set), FailsWith(ESRCH));
  EXPECT_THAT(::sched_getaffinity(-1, 3, &set), FailsWith(EINVAL));
  EXPECT_THAT(::sched_setaffinity(-1, sizeof set, &set), FailsWith(ESRCH));
  EXPECT_THAT(::sched_setaffinity(0, sizeof set, &set), FailsWith(EINVAL));
}

TEST(Ids, Groups_and_sessions) {
  EXPECT_THAT(::getpgid(1 << 20), FailsWith(ESRCH));
  EXPECT_THAT(::setpgid(0, -1), FailsWith(EINVAL));
  EXPECT_THAT(::setpgid(1 << 20, 0), FailsWith(ESRCH));
  EXPECT_THAT(in_child([] {
                const pid_t session = ::setsid();
                const bool leads =
                    session == ::getpid() && ::getpgrp() == session && ::getsid(0) == session;
                const bool not_again = ::setsid() < 0 && errno == EPERM;
                const bool stays = ::setpgid(0, 0) < 0 && errno == EPERM;
                return leads && not_again && stays ? 0 : 1;
              }),
              Exited(0));
}

TEST(Ids, A_child_that_executed_is_not_moved) {
  int ends[2];
  ASSERT_THAT(::pipe(ends), Succeeds());
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(ends[0], 0);
    ::close(ends[0]);
    ::close(ends[1]);
    ::fcntl(ends[1], F_SETFD, FD_CLOEXEC);
    ::execl("/bin/sh", "sh", "-c", "echo x >&2; read x", nullptr);
    ::_exit(1);
  }
  // The child has executed when setpgid says so; until then it moves it, as often as we ask.
  int moved = 0;
  while ((moved = ::setpgid(child, child)) == 0) {
    ::sched_yield();
  }
  EXPECT_THAT(moved, FailsWith(EACCES));
  ::close(ends[1]);
  ::close(ends[0]);
  reap(child);
}

}  // namespace
