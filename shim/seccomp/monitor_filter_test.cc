// SPDX-License-Identifier: Apache-2.0
// The filter is executed, not read: a child confines itself, makes one call, and either lives or
// dies by SIGSYS.
#include "runhl/shim/monitor_filter.h"

#include <asm/unistd_64.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <linux/sched.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <functional>

#include "jail/forked_test.h"
#include "runhl/base/sys_recording.h"

namespace runhl::shim {
namespace {

using ::testing::ElementsAre;

void confine() {
  const rlimit no_core{.rlim_cur = 0, .rlim_max = 0};
  (void)::setrlimit(RLIMIT_CORE, &no_core);
  expect_in_fork(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "no_new_privs");
  const auto confined = confine_calls(linux_sys());
  expect_in_fork(confined.has_value(), confined ? "" : confined.error().message);
}

/// The signal that ends a confined child which runs `body`, 0 when it lives.
int fate(const std::function<void()>& body) {
  (void)std::fflush(nullptr);
  const pid_t child = ::fork();
  if (child == 0) {
    confine();
    body();
    (void)::syscall(__NR_exit_group, 0);
  }
  int status = 0;
  (void)::waitpid(child, &status, 0);
  return WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status) == 0 ? 0 : -1;
}

int fate_of_call(long number, long a = 0, long b = 0, long c = 0) {
  return fate([=] { (void)::syscall(number, a, b, c, 0L, 0L, 0L); });
}

/// errno of the call in a confined child, 0 on success.
int answer_to(long number, long a = 0, long b = 0, long c = 0) {
  const pid_t child = ::fork();
  if (child == 0) {
    confine();
    const long result = ::syscall(number, a, b, c, 0L, 0L, 0L);
    (void)::syscall(__NR_exit_group, result < 0 ? errno : 0);
  }
  int status = 0;
  (void)::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

TEST(MonitorFilter, Ways_out_of_the_jail_are_deadly) {
  for (const long number : {__NR_execve,
                            __NR_execveat,
                            __NR_fork,
                            __NR_vfork,
                            __NR_ptrace,
                            __NR_process_vm_readv,
                            __NR_process_vm_writev,
                            __NR_kill,
                            __NR_tkill,
                            __NR_rt_sigqueueinfo,
                            __NR_pidfd_open,
                            __NR_pidfd_getfd,
                            __NR_unshare,
                            __NR_setns,
                            __NR_mount,
                            __NR_umount2,
                            __NR_pivot_root,
                            __NR_chroot,
                            __NR_open_tree,
                            __NR_move_mount,
                            __NR_fsopen,
                            __NR_mount_setattr,
                            __NR_open_by_handle_at,
                            __NR_name_to_handle_at,
                            __NR_setuid,
                            __NR_setresuid,
                            __NR_setresgid,
                            __NR_bpf,
                            __NR_perf_event_open,
                            __NR_userfaultfd,
                            __NR_io_uring_setup,
                            __NR_keyctl,
                            __NR_add_key,
                            __NR_init_module,
                            __NR_finit_module,
                            __NR_kexec_load,
                            __NR_seccomp,
                            __NR_personality,
                            __NR_iopl}) {
    EXPECT_EQ(fate_of_call(number), SIGSYS) << "call " << number;
  }
}

TEST(MonitorFilter, What_nobody_needs_is_not_there) {
  for (const long number :
       {__NR_socket, __NR_clone3, __NR_memfd_create, __NR_chdir, __NR_dup2, __NR_prlimit64,
        __NR_inotify_init1, __NR_landlock_create_ruleset, 600}) {
    EXPECT_EQ(answer_to(number), ENOSYS) << "call " << number;
  }
}

TEST(MonitorFilter, The_other_calling_conventions_are_deadly) {
  constexpr long kX32 = 0x4000'0000;
  EXPECT_EQ(fate_of_call(kX32 | __NR_getpid), SIGSYS);
  EXPECT_EQ(fate([] {
              constexpr int kGetpidI386 = 20;
              int result = kGetpidI386;
              asm volatile("int $0x80" : "+a"(result) : : "memory", "r8", "r9", "r10", "r11");
            }),
            SIGSYS);
}

TEST(MonitorFilter, Clone_makes_threads_and_nothing_else) {
  EXPECT_EQ(fate_of_call(__NR_clone, SIGCHLD), SIGSYS);
  EXPECT_EQ(fate_of_call(__NR_clone, CLONE_NEWUSER | SIGCHLD), SIGSYS);
  EXPECT_EQ(fate_of_call(__NR_clone, CLONE_VM | CLONE_VFORK | SIGCHLD), SIGSYS);
  // Not std::thread: the undefined-behaviour sanitizer looks at its state through a pipe.
  EXPECT_EQ(fate([] {
              int value = 0;
              pthread_t thread{};
              const auto run = [](void* argument) -> void* {
                *static_cast<int*>(argument) = 1;
                return nullptr;
              };
              expect_in_fork(::pthread_create(&thread, nullptr, run, &value) == 0, "start");
              expect_in_fork(::pthread_join(thread, nullptr) == 0 && value == 1, "it ran");
            }),
            0);
}

TEST(MonitorFilter, Signals_reach_this_process_alone) {
  EXPECT_EQ(fate_of_call(__NR_tgkill, 1, 1, SIGTERM), SIGSYS);
  EXPECT_EQ(fate_of_call(__NR_tgkill, ::getpid(), ::getpid(), 0), SIGSYS) << "the parent";
  EXPECT_EQ(fate([] {
              (void)::signal(SIGUSR1, SIG_IGN);
              expect_in_fork(::raise(SIGUSR1) == 0, "raise");
            }),
            0);
  EXPECT_EQ(answer_to(__NR_fcntl, 0, F_SETOWN, 1), EINVAL);
  EXPECT_EQ(answer_to(__NR_fcntl, 0, F_SETSIG, SIGKILL), EINVAL);
}

TEST(MonitorFilter, No_new_code_comes_into_being) {
  EXPECT_EQ(fate_of_call(__NR_mmap, 0, 4096, PROT_READ | PROT_EXEC), SIGSYS);
  EXPECT_EQ(fate_of_call(__NR_mprotect, 0, 4096, PROT_EXEC), SIGSYS);
  EXPECT_EQ(fate([] {
              void* const memory = ::mmap(nullptr, 1 << 20, PROT_READ | PROT_WRITE,
                                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
              expect_in_fork(memory != MAP_FAILED, "mmap");
              expect_in_fork(::mprotect(memory, 4096, PROT_READ) == 0, "mprotect");
            }),
            0);
}

TEST(MonitorFilter, Ioctls_and_prctls_are_the_listed_ones) {
  EXPECT_EQ(fate_of_call(__NR_ioctl, 0, TIOCSTI), SIGSYS);
  EXPECT_EQ(fate_of_call(__NR_ioctl, 0, static_cast<long>(TIOCSTI | (1UL << 40))), SIGSYS)
      << "the host ignores the high half";
  EXPECT_EQ(answer_to(__NR_ioctl, 0, TIOCSCTTY), ENOTTY);
  EXPECT_EQ(answer_to(__NR_prctl, PR_SET_DUMPABLE, 0), EINVAL);
  EXPECT_EQ(answer_to(__NR_prctl, PR_SET_PDEATHSIG, 0), 0);
}

TEST(MonitorFilter, Files_and_the_main_loop_work) {
  const UniqueFd dir(::open("/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC));
  const UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
  std::array<int, 2> pipe{};
  ASSERT_EQ(::pipe(pipe.data()), 0);
  const UniqueFd in(pipe[0]), out(pipe[1]);
  const std::string name = "runhl_filter_test." + std::to_string(::getpid());
  EXPECT_EQ(
      fate([&] {
        Sys& sys = linux_sys();
        const auto file = sys.open_resolved(dir.get(), ".", O_RDONLY | O_DIRECTORY, 0);  // openat2
        expect_in_fork(file.has_value(), "openat2");
        expect_in_fork(::mkdirat(dir.get(), name.c_str(), 0700) == 0, "mkdirat");
        struct statx attributes{};
        expect_in_fork(::statx(dir.get(), name.c_str(), 0, STATX_ALL, &attributes) == 0, "statx");
        expect_in_fork(::unlinkat(dir.get(), name.c_str(), AT_REMOVEDIR) == 0, "unlinkat");
        epoll_event event{.events = EPOLLIN, .data = {.fd = in.get()}};
        expect_in_fork(::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, in.get(), &event) == 0, "add");
        expect_in_fork(::write(out.get(), "x", 1) == 1, "write");
        expect_in_fork(::epoll_wait(epoll.get(), &event, 1, -1) == 1, "epoll_wait");
        char byte = 0;
        expect_in_fork(::read(in.get(), &byte, 1) == 1, "read");
        expect_in_fork(::syscall(__NR_setfsuid, -1) >= 0, "setfsuid");
        std::string large(1 << 22, 'x');
        large.resize(1 << 23);
      }),
      0);
  ::rmdir(("/tmp/" + name).c_str());
}

TEST(ConfineFiles, Rules_follow_the_trees) {
  RecordingSys sys;
  std::vector<vmm::GrantedTree> trees(3);
  trees[0].name = "0";
  trees[1].name = "1";
  trees[1].read_only = true;
  trees[2].name = "2";
  trees[2].directory = false;
  EXPECT_TRUE(confine_files(sys, trees).has_value());
  EXPECT_EQ(missing_file_rules(sys), "");
  EXPECT_THAT(sys.calls, ElementsAre("landlock_create 0x7fff", "landlock_allow tree 0 0x7ffe",
                                     "landlock_allow tree 1 0xc", "landlock_allow tree 2 0x4006",
                                     "landlock_restrict"));
}

TEST(ConfineFiles, An_older_host_is_reported) {
  RecordingSys sys;
  sys.landlock = 1;
  EXPECT_TRUE(confine_files(sys, {}).has_value());
  EXPECT_THAT(missing_file_rules(sys), ::testing::HasSubstr("older than ABI 2"));
  sys.landlock = 0;
  EXPECT_TRUE(confine_files(sys, {}).has_value());
  EXPECT_THAT(missing_file_rules(sys), ::testing::HasSubstr("no Landlock"));
  EXPECT_FALSE(sys.called("landlock_create"));
  sys.landlock = 2;
  EXPECT_TRUE(confine_files(sys, {}).has_value());
  EXPECT_EQ(missing_file_rules(sys), "");
  EXPECT_TRUE(sys.called("landlock_create 0x3fff"));
}

TEST(ConfineFiles, For_real_a_path_outside_the_tree_is_refused) {
  if (linux_sys().landlock_abi() < 2) {
    GTEST_SKIP() << "needs Landlock ABI 2";
  }
  in_fork([] {
    std::string name = "/tmp/runhl_landlock_test.XXXXXX";
    expect_in_fork(::mkdtemp(name.data()) != nullptr, "mkdtemp");
    std::vector<vmm::GrantedTree> trees(1);
    trees[0].name = "0";
    trees[0].root = UniqueFd(::open(name.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    const pid_t child = ::fork();
    if (child == 0) {
      expect_in_fork(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "no_new_privs");
      expect_in_fork(confine_files(linux_sys(), trees).has_value(), "confined");
      expect_in_fork(::open("/etc/passwd", O_RDONLY) < 0 && errno == EACCES, "outside");
      const int root = trees[0].root.get();
      expect_in_fork(::mkdirat(root, "a", 0700) == 0 && ::mkdirat(root, "b", 0700) == 0, "mkdir");
      const UniqueFd file(::openat(root, "a/file", O_CREAT | O_RDWR | O_CLOEXEC, 0600));
      expect_in_fork(static_cast<bool>(file), "create");
      expect_in_fork(::ftruncate(file.get(), 1) == 0, "truncate");
      expect_in_fork(::renameat(root, "a/file", root, "b/file") == 0, "rename between directories");
      expect_in_fork(::unlinkat(root, "b/file", 0) == 0, "unlink");
      ::_exit(0);
    }
    int status = 1;
    (void)::waitpid(child, &status, 0);
    (void)::rmdir((name + "/a").c_str());
    (void)::rmdir((name + "/b").c_str());
    (void)::rmdir(name.c_str());
    expect_in_fork(status == 0, "the confined process");
  });
}

}  // namespace
}  // namespace runhl::shim
