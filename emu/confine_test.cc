// SPDX-License-Identifier: GPL-2.0-only
// The filter of runhl-emu is executed, not read: a child confines itself as runhl-emu does, makes
// the call of somebody who has broken out of the software CPU, and exits, or dies by SIGSYS.
#include <asm/unistd_64.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <functional>
#include <set>

#include "runhl/emu/protocol.h"

extern "C" {
#include "confine.h"
}

namespace {

constexpr int kNotConfined = 200;
constexpr int kForeign = 17;
constexpr std::uint64_t kPlenty = 1ULL << 48U;  // sanitizers have reserved much of it already
constexpr std::uint64_t kPage = 4096, kGiB = 1ULL << 30U;

// With any arguments. mmap, mprotect, read and write depend on theirs: tests of their own.
const std::set<long> kAllowed{__NR_munmap,       __NR_mremap,       __NR_madvise,
                              __NR_brk,          __NR_futex,        __NR_clock_gettime,
                              __NR_gettimeofday, __NR_rt_sigreturn, __NR_restart_syscall,
                              __NR_exit_group,   __NR_getrandom,    __NR_mmap,
                              __NR_mprotect,     __NR_read,         __NR_write};

// uretprobe and uprobe: Linux does not show them to filters. Outside of a probe's own code they do
// nothing but fail.
const std::set<long> kUnseen{335, 336};

class ConfineTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends_.data()), 0);
  }
  void TearDown() override {
    for (const int fd : ends_) {
      (void)::close(fd);
    }
  }

  /// In the confined child: its exit status, or minus the signal that it died of.
  int outcome(const std::function<int()>& body, std::uint64_t mapped = kPlenty) {
    (void)std::fflush(nullptr);
    const pid_t child = ::fork();
    if (child == 0) {
      // The socket where runhl-emu has it, and what a careless caller would leave open.
      if (::dup2(ends_[1], kForeign) < 0 || ::dup2(kForeign, RUNHL_EMU_SOCKET) < 0 ||
          ::confine_early() != 0 || ::confine(mapped) != 0) {
        ::_exit(kNotConfined);
      }
      // Before ::_exit a sanitizer would look at its stacks, with calls that are deadly here.
      (void)::syscall(__NR_exit_group, body());
    }
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
  }
  /// errno of a call, 0 where it succeeded.
  int answer(long number, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0) {
    return outcome([=] { return ::syscall(number, a, b, c, d, e, 0L) < 0 ? errno : 0; });
  }

  std::array<int, 2> ends_{-1, -1};
};

TEST_F(ConfineTest, Every_other_call_is_deadly) {
  constexpr long kBehindTheLast = 512;  // of Linux's table
  for (long number = 0; number < kBehindTheLast; ++number) {
    if (!kAllowed.contains(number) && !kUnseen.contains(number)) {
      EXPECT_EQ(answer(number), -SIGSYS) << "system call " << number;
    }
  }
}

TEST_F(ConfineTest, Calls_of_other_architectures_are_deadly) {
  constexpr long kX32 = 0x4000'0000;
  EXPECT_EQ(answer(kX32 + __NR_getrandom), -SIGSYS);
  EXPECT_EQ(answer(kX32 + __NR_munmap), -SIGSYS);
  const int old = outcome([] {
    constexpr int kGetpid = 20;  // of i386; 20 is writev's here
    int result = kGetpid;
    // SAFETY: changes RAX alone; the kernel keeps or clears R8 to R11.
    asm volatile("int $0x80" : "+a"(result) : : "r8", "r9", "r10", "r11", "memory");
    return 0;
  });
  EXPECT_TRUE(old == -SIGSYS || old == -SIGSEGV) << old;  // the latter: the host has none of them
}

TEST_F(ConfineTest, What_it_needs_works) {
  EXPECT_EQ(outcome([] {
              void* const at =
                  ::mmap(nullptr, kPage, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
              return at != MAP_FAILED && ::mprotect(at, kPage, PROT_READ | PROT_WRITE) == 0 &&
                             ::madvise(at, kPage, MADV_DONTNEED) == 0 && ::munmap(at, kPage) == 0
                         ? 0
                         : errno;
            }),
            0);
  std::uint64_t space = 0;
  EXPECT_EQ(answer(__NR_clock_gettime, CLOCK_MONOTONIC,
                   reinterpret_cast<long>(std::array<std::uint64_t, 2>{}.data())),
            0);
  EXPECT_EQ(answer(__NR_getrandom, reinterpret_cast<long>(&space), sizeof space), 0);
}

TEST_F(ConfineTest, No_memory_becomes_executable_or_a_files) {
  const auto map = [this](long protection, long flags, long fd) {
    return answer(__NR_mmap, 0, kPage, protection, flags, fd);
  };
  EXPECT_EQ(map(PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1), 0);
  EXPECT_EQ(map(PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1), -SIGSYS);
  EXPECT_EQ(map(PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1), -SIGSYS);
  EXPECT_EQ(map(PROT_READ, MAP_SHARED, RUNHL_EMU_SOCKET), -SIGSYS);
  EXPECT_EQ(map(PROT_READ, MAP_PRIVATE, 0), -SIGSYS);
  EXPECT_EQ(outcome([] {
              static std::array<char, 2 * kPage> memory;
              const auto at = (reinterpret_cast<std::uintptr_t>(memory.data()) + kPage) & -kPage;
              return ::syscall(__NR_mprotect, at, kPage, PROT_READ | PROT_EXEC) == 0 ? 0 : errno;
            }),
            -SIGSYS);
}

TEST_F(ConfineTest, Addresses_are_bounded) {
  const auto take = [] {
    return ::mmap(nullptr, 4 * kGiB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
                  0) == MAP_FAILED
               ? errno
               : 0;
  };
  EXPECT_EQ(outcome(take), 0);
  EXPECT_EQ(outcome(take, kPage), ENOMEM);
}

TEST_F(ConfineTest, The_monitors_socket_is_all_there_is) {
  EXPECT_EQ(outcome([] {
              char byte = 'x';
              return ::write(RUNHL_EMU_SOCKET, &byte, 1) == 1 ? 0 : errno;
            }),
            0);
  char byte = 0;
  EXPECT_EQ(::recv(ends_[0], &byte, 1, MSG_DONTWAIT), 1);
  EXPECT_EQ(byte, 'x');
  ASSERT_EQ(::send(ends_[0], "y", 1, 0), 1);
  EXPECT_EQ(outcome([] {
              char got = 0;
              return ::read(RUNHL_EMU_SOCKET, &got, 1) == 1 ? got : errno;
            }),
            'y');
  const auto at = reinterpret_cast<long>(&byte);
  for (const long fd : {0, 1, 2, kForeign, -1}) {
    EXPECT_EQ(answer(__NR_read, fd, at, 1), -SIGSYS) << fd;
    EXPECT_EQ(answer(__NR_write, fd, at, 1), EBADF) << fd;
  }
}

/// Before the filter, of a child that asks itself.
int early(const std::function<int()>& body) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::_exit(::dup2(STDERR_FILENO, kForeign) == kForeign && ::confine_early() == 0 ? body()
                                                                                  : kNotConfined);
  }
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return WEXITSTATUS(status);
}

TEST(ConfineEarly, Leaves_no_descriptor_but_the_socket) {
  EXPECT_EQ(early([] {
              int open = 0;
              for (int fd = 0; fd < 1024; ++fd) {
                open += fd != RUNHL_EMU_SOCKET && ::fcntl(fd, F_GETFD) >= 0 ? 1 : 0;
              }
              return open;
            }),
            0);
}

TEST(ConfineEarly, Dies_with_the_monitor_and_shows_nobody_its_memory) {
  EXPECT_EQ(early([] {
              int signal = 0;
              return ::prctl(PR_GET_PDEATHSIG, &signal) == 0 ? signal : kNotConfined;
            }),
            SIGKILL);
  EXPECT_EQ(early([] { return ::prctl(PR_GET_DUMPABLE); }), 0);
}

}  // namespace
