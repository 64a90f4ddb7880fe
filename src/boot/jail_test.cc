// SPDX-License-Identifier: Apache-2.0
// The jail is executed, not read: a child enters it, does what somebody would who has taken
// runhl-boot over, and exits, or dies by SIGSYS. As who runs the test, and as an ordinary user.
#include "boot/jail.h"

#include <asm/unistd_64.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <thread>

namespace runhl::boot {
namespace {

constexpr uid_t kOrdinary = 65534;
constexpr int kNotJailed = 200;

enum class Who : std::uint8_t {
  Caller,
  Ordinary,
  Contained,  // an ordinary user in a container: no namespaces can be had
};

/// Landlock alone is left, as under the filters of container engines.
bool forbid_namespaces() {
  std::array filter{
      sock_filter{BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(seccomp_data, nr)},
      sock_filter{BPF_JMP | BPF_JEQ | BPF_K, 0, 1, __NR_unshare},
      sock_filter{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | EPERM},
      sock_filter{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW},
  };
  const sock_fprog program{filter.size(), filter.data()};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/// In the child, before the jail.
bool become(Who who) {
  if (who == Who::Caller) {
    return true;
  }
  return (::geteuid() != 0 || (::setgid(kOrdinary) == 0 && ::setuid(kOrdinary) == 0)) &&
         (who == Who::Ordinary || forbid_namespaces());
}

class JailTest : public ::testing::TestWithParam<Who> {
 protected:
  void SetUp() override {
    if (GetParam() == Who::Contained && linux_sys().landlock_abi() < 2) {
      GTEST_SKIP() << "no Landlock";
    }
    ASSERT_NE(::mkdtemp(top_.data()), nullptr);
    std::filesystem::create_directory(top_ + "/granted");
    std::filesystem::create_directory(top_ + "/read-only");
    for (const char* file : {"/secret", "/granted/file", "/read-only/file"}) {
      std::ofstream(top_ + file) << "contents";
    }
    for (const char* path : {"", "/granted", "/read-only", "/secret", "/granted/file"}) {
      if (GetParam() != Who::Caller && ::geteuid() == 0) {
        ASSERT_EQ(::chown((top_ + path).c_str(), kOrdinary, kOrdinary), 0);
      }
    }
    granted_.reset(::open((top_ + "/granted").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    read_only_.reset(::open((top_ + "/read-only").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  }
  void TearDown() override { std::filesystem::remove_all(top_); }

  /// In the jailed child: its exit status, or minus the signal that it died of.
  int outcome(const std::function<int()>& body, bool with_directories = true) {
    (void)std::fflush(nullptr);
    const pid_t child = ::fork();
    if (child == 0) {
      if (!become(GetParam())) {
        ::_exit(kNotJailed);
      }
      JailSpec spec;
      spec.foreign = {foreign_};
      spec.network = network_;
      if (with_directories) {
        spec.directories = {{granted_.get(), false}, {read_only_.get(), true}};
      }
      const Result<void> jailed = enter_jail(linux_sys(), spec);
      if (!jailed) {
        (void)std::fprintf(stderr, "not jailed: %s\n", jailed.error().message.c_str());
        ::_exit(kNotJailed);
      }
      ::_exit(body());
    }
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
  }
  /// errno of a call in the jail, 0 where it succeeded.
  int answer(long number, long a = 0, long b = 0, long c = 0, long d = 0) {
    return outcome([=] { return ::syscall(number, a, b, c, d, 0L, 0L) < 0 ? errno : 0; });
  }
  static long open_at(int directory, const std::string& path, int flags, mode_t mode = 0) {
    open_how how{};
    how.flags = static_cast<unsigned>(flags);
    how.mode = mode;
    return ::syscall(SYS_openat2, directory, path.c_str(), &how, sizeof how);
  }
  int answer_to_open(int directory, const std::string& path, int flags) {
    return outcome([=] { return open_at(directory, path, flags, 0) < 0 ? errno : 0; });
  }

  std::string top_ = "/tmp/runhl-jail-XXXXXX";
  UniqueFd granted_, read_only_;
  int foreign_ = -1;
  bool network_ = false;
};

bool is_refusal(int error) {
  return error == EACCES || error == ENOENT || error == EPERM || error == EROFS;
}

TEST_P(JailTest, No_file_of_the_hosts_can_be_opened) {
  for (const std::string& path : {std::string("/etc/passwd"), std::string("/"), top_ + "/secret",
                                  top_ + "/granted/../secret", std::string("/proc/self/mem")}) {
    const int error = answer_to_open(AT_FDCWD, path, O_RDONLY);
    EXPECT_TRUE(is_refusal(error)) << path << ": " << error;
  }
  const std::string made = top_ + "/made";
  EXPECT_TRUE(is_refusal(
      outcome([&] { return open_at(AT_FDCWD, made, O_WRONLY | O_CREAT, 0644) < 0 ? errno : 0; })));
  EXPECT_TRUE(is_refusal(answer_to_open(granted_.get(), "../secret", O_RDONLY)));
  EXPECT_TRUE(is_refusal(answer_to_open(granted_.get(), "..", O_RDONLY | O_DIRECTORY)));
  EXPECT_EQ(
      outcome([] { return ::syscall(__NR_openat, AT_FDCWD, "/etc/passwd", 0) < 0 ? errno : 0; }),
      ENOSYS);
}

TEST_P(JailTest, No_name_outside_can_be_made_changed_or_removed) {
  const std::string secret = top_ + "/secret", made = top_ + "/made";
  const auto text = [](const std::string& path) { return reinterpret_cast<long>(path.c_str()); };
  EXPECT_TRUE(is_refusal(answer(__NR_unlinkat, AT_FDCWD, text(secret))));
  EXPECT_TRUE(is_refusal(answer(__NR_mkdirat, AT_FDCWD, text(made), 0755)));
  EXPECT_TRUE(is_refusal(answer(__NR_symlinkat, text(secret), AT_FDCWD, text(made))));
  EXPECT_TRUE(is_refusal(answer(__NR_renameat, AT_FDCWD, text(secret), AT_FDCWD, text(made))));
  for (const long number : {__NR_chmod, __NR_truncate, __NR_chown, __NR_unlink, __NR_rename}) {
    EXPECT_EQ(answer(number, text(secret), 0), ENOSYS) << number;
  }
  for (const long number : {__NR_fchmodat, __NR_fchownat, __NR_mknodat}) {
    EXPECT_EQ(answer(number, AT_FDCWD, text(secret), 0), ENOSYS) << number;
  }
  EXPECT_EQ(answer(__NR_utimensat, AT_FDCWD, text(secret), 0, 0), -SIGSYS);
  EXPECT_TRUE(std::filesystem::exists(secret));
}

TEST_P(JailTest, Granted_directories_are_as_they_were_granted) {
  EXPECT_EQ(answer_to_open(granted_.get(), "file", O_RDWR), 0);
  EXPECT_EQ(outcome([&] { return ::mkdirat(granted_.get(), "made", 0755) == 0 ? 0 : errno; }), 0);
  EXPECT_EQ(outcome([&] {
              return ::renameat(granted_.get(), "made", granted_.get(), "moved") == 0 ? 0 : errno;
            }),
            0);
  EXPECT_EQ(answer_to_open(read_only_.get(), "file", O_RDONLY), 0);
  EXPECT_EQ(answer_to_open(read_only_.get(), ".", O_RDONLY | O_DIRECTORY), 0);
  EXPECT_TRUE(is_refusal(answer_to_open(read_only_.get(), "file", O_WRONLY)));
  EXPECT_TRUE(is_refusal(
      outcome([&] { return ::mkdirat(read_only_.get(), "made", 0755) == 0 ? 0 : errno; })));
  const auto change = [&] {
    const int fd = static_cast<int>(open_at(granted_.get(), "file", O_RDONLY));
    return fd >= 0 && ::fchmod(fd, 0600) == 0 && ::futimens(fd, nullptr) == 0 ? 0 : errno;
  };
  EXPECT_EQ(outcome(change), 0);
}

TEST_P(JailTest, Without_directories_there_are_no_calls_for_files) {
  const auto try_open = [&] { return open_at(granted_.get(), "file", O_RDONLY) < 0 ? errno : 0; };
  EXPECT_EQ(outcome(try_open, false), ENOSYS);
}

TEST_P(JailTest, Other_programs_processes_and_sockets_are_deadly) {
  EXPECT_EQ(outcome([] {
              std::array<char*, 1> none{nullptr};
              return ::execve("/bin/true", none.data(), none.data());
            }),
            -SIGSYS);
  EXPECT_EQ(outcome([] { return static_cast<int>(::ptrace(PTRACE_ATTACH, ::getppid(), 0, 0)); }),
            -SIGSYS);
  EXPECT_EQ(outcome([] { return ::socket(AF_INET, SOCK_STREAM, 0); }), -SIGSYS);
  EXPECT_EQ(outcome([] { return ::socket(AF_UNIX, SOCK_STREAM, 0); }), -SIGSYS);
  EXPECT_EQ(outcome([] { return ::kill(::getppid(), 0); }), -SIGSYS);
  EXPECT_EQ(outcome([] { return static_cast<int>(::fork()); }), -SIGSYS);
  for (const long number :
       {__NR_vfork, __NR_execveat, __NR_process_vm_readv, __NR_unshare, __NR_setns, __NR_mount,
        __NR_bpf, __NR_io_uring_setup, __NR_setuid, __NR_open_by_handle_at, __NR_pidfd_open,
        __NR_pidfd_getfd, __NR_keyctl, __NR_seccomp, __NR_chroot, __NR_pivot_root}) {
    EXPECT_EQ(answer(number), -SIGSYS) << number;
  }
}

TEST_P(JailTest, A_network_is_sockets_of_the_internet) {
  network_ = true;
  const auto make = [this](int family, int type) {
    return outcome([=] { return ::socket(family, type, 0) < 0 ? errno : 0; });
  };
  EXPECT_EQ(make(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC), 0);
  EXPECT_EQ(make(AF_INET, SOCK_DGRAM), 0);
  EXPECT_THAT(make(AF_INET6, SOCK_STREAM), ::testing::AnyOf(0, EAFNOSUPPORT));
  for (const int family : {AF_UNIX, AF_NETLINK, AF_PACKET, AF_VSOCK, AF_ALG}) {
    EXPECT_EQ(make(family, SOCK_STREAM), -SIGSYS) << family;
  }
  EXPECT_EQ(make(AF_INET, SOCK_RAW), -SIGSYS);
  EXPECT_EQ(make(AF_INET, SOCK_SEQPACKET), -SIGSYS);
  EXPECT_TRUE(is_refusal(answer_to_open(AT_FDCWD, "/etc/passwd", O_RDONLY)));
}

TEST_P(JailTest, No_memory_becomes_executable) {
  EXPECT_EQ(outcome([] {
              (void)::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                           0);
              return 0;
            }),
            -SIGSYS);
}

/// A thread's body: its argument is an int.
void* set_to_seven(void* number) {
  *static_cast<int*>(number) = 7;
  return nullptr;
}

TEST_P(JailTest, A_thread_and_an_abort_still_work) {
  // POSIX's own: a std::thread has virtual functions, and the undefined-behaviour sanitizer tries
  // with pipe(2), which the jail refuses, whether their table can be read.
  EXPECT_EQ(outcome([] {
              int done = 0;
              pthread_t thread{};
              if (::pthread_create(&thread, nullptr, set_to_seven, &done) != 0)
                return -1;
              ::pthread_join(thread, nullptr);
              return done;
            }),
            7);
  EXPECT_EQ(outcome([]() -> int { ::abort(); }), -SIGABRT);
}

TEST_P(JailTest, Descriptors_of_the_callers_are_closed) {
  foreign_ = ::open("/etc/passwd", O_RDONLY);  // not close-on-exec: as a shell would leave it
  ASSERT_GE(foreign_, 0);
  EXPECT_EQ(outcome([this] {
              char byte = 0;
              return ::read(foreign_, &byte, 1) < 0 ? errno : 0;
            }),
            EBADF);
  (void)::close(foreign_);
}

/// A line of /proc/PID/status.
std::string status_line(pid_t pid, const std::string& field) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  std::string line;
  while (std::getline(status, line)) {
    if (line.starts_with(field + ":\t")) {
      return line.substr(field.size() + 2);
    }
  }
  return "none";
}

TEST_P(JailTest, Nothing_can_be_gained_and_no_core_is_left) {
  std::array<int, 2> up{}, down{};
  ASSERT_EQ(::pipe(up.data()), 0);
  ASSERT_EQ(::pipe(down.data()), 0);
  std::jthread jailed([&] {
    EXPECT_EQ(outcome([&] {
                char byte = 0;
                const pid_t self = ::getpid();
                return ::write(up[1], &self, sizeof self) > 0 && ::read(down[0], &byte, 1) == 1 ? 0
                                                                                                : 1;
              }),
              0);
  });
  pid_t pid = 0;
  ASSERT_EQ(::read(up[0], &pid, sizeof pid), static_cast<ssize_t>(sizeof pid));
  EXPECT_EQ(status_line(pid, "NoNewPrivs"), "1");
  EXPECT_EQ(status_line(pid, "Seccomp"), "2");
  const bool root = GetParam() == Who::Caller && ::geteuid() == 0;
  const std::uint64_t files = 1ULL << CAP_DAC_OVERRIDE | 1ULL << CAP_FOWNER;
  for (const char* set : {"CapEff", "CapPrm"}) {
    const std::uint64_t held = std::stoull(status_line(pid, set), nullptr, 16);
    EXPECT_EQ(held & ~files, 0U) << set;
    EXPECT_EQ(held, root ? files : held) << set;
  }
  if (root) {
    EXPECT_EQ(std::stoull(status_line(pid, "CapBnd"), nullptr, 16), 0U);
  }
  std::ifstream limits("/proc/" + std::to_string(pid) + "/limits");
  const std::string text{std::istreambuf_iterator<char>(limits), {}};
  EXPECT_NE(text.find("Max core file size        0                    0"), std::string::npos);
  (void)!::write(down[1], "x", 1);
}

INSTANTIATE_TEST_SUITE_P(As, JailTest,
                         ::testing::Values(Who::Caller, Who::Ordinary, Who::Contained),
                         [](const auto& who) {
                           return who.param == Who::Caller     ? "Caller"
                                  : who.param == Who::Ordinary ? "Ordinary"
                                                               : "Contained";
                         });

TEST(DescriptorsOfCaller, Are_those_above_standard_error) {
  const UniqueFd fd(::open("/dev/null", O_RDONLY));
  const std::vector<int> found = descriptors_of_caller();
  EXPECT_NE(std::find(found.begin(), found.end(), fd.get()), found.end());
  EXPECT_EQ(std::count_if(found.begin(), found.end(), [](int n) { return n <= 2; }), 0);
}

}  // namespace
}  // namespace runhl::boot
