// SPDX-License-Identifier: Apache-2.0
// The filters against one table, twice: by a small interpreter, which reaches every number and
// convention, and executed by the host in forked children, which is what counts.
#include "cell/filter.h"

#include <asm/prctl.h>
#include <asm/unistd_64.h>
#include <gtest/gtest.h>
#include <linux/audit.h>
#include <linux/falloc.h>
#include <linux/futex.h>
#include <linux/mman.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstring>
#include <ctime>
#include <ostream>
#include <set>
#include <string>
#include <vector>

#include "runhl/abi/layout.h"

namespace runhl::vmm::cell {
namespace {

constexpr std::uint64_t kHigh = 0xdead'beef'0000'0000;  // what an int argument's high half may hold
constexpr std::uint64_t kPlace = abi::kKernelData;      // an address that is free in the test

struct Case {
  const char* name;
  std::uint32_t number;
  std::array<std::uint64_t, 6> args;
  std::uint32_t action;
  bool execute = true;  ///< false: the call would destroy the child that makes it
};
std::ostream& operator<<(std::ostream& out, const Case& one) {
  return out << one.name;
}

constexpr std::uint32_t kAllow = SECCOMP_RET_ALLOW, kKill = SECCOMP_RET_KILL_PROCESS;
constexpr std::uint64_t kRw = PROT_READ | PROT_WRITE;
constexpr std::uint64_t kAnon = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;

// Each rule and its neighbours.
const std::vector<Case>& cases() {
  static const std::vector<Case> table{
      {"futex_wait", __NR_futex, {kPlace, FUTEX_WAIT, 1}, kAllow},
      {"futex_wait_high", __NR_futex, {kPlace, kHigh | FUTEX_WAIT, 1}, kAllow},
      {"futex_wake", __NR_futex, {kPlace, FUTEX_WAKE, 1}, kAllow},
      {"futex_wait_private", __NR_futex, {kPlace, FUTEX_WAIT_PRIVATE, 1}, kAllow},
      {"futex_wake_private", __NR_futex, {kPlace, FUTEX_WAKE_PRIVATE, 1}, kAllow},
      {"futex_fd", __NR_futex, {kPlace, 2}, kKill},
      {"futex_requeue", __NR_futex, {kPlace, FUTEX_REQUEUE}, kKill},
      {"futex_wake_op", __NR_futex, {kPlace, FUTEX_WAKE_OP}, kKill},
      {"futex_lock_pi", __NR_futex, {kPlace, FUTEX_LOCK_PI}, kKill},
      {"futex_wait_realtime", __NR_futex, {kPlace, FUTEX_WAIT | FUTEX_CLOCK_REALTIME}, kKill},
      {"futex_wait_bitset", __NR_futex, {kPlace, FUTEX_WAIT_BITSET}, kKill},

      {"reserved", abi::kReservedCall, {0}, kAllow},
      {"reserved_below", abi::kReservedCall - 1, {0}, kKill},
      {"reserved_above", abi::kReservedCall + 1, {0}, kKill},

      {"mmap_anon", __NR_mmap, {kPlace, 4096, kRw, kAnon, ~0ULL}, kAllow},
      {"mmap_anon_rwx", __NR_mmap, {kPlace, 4096, 7, kAnon, ~0ULL}, kAllow},
      {"mmap_anon_noreserve", __NR_mmap, {kPlace, 4096, kRw, kAnon | MAP_NORESERVE, ~0ULL}, kAllow},
      {"mmap_growsdown_prot", __NR_mmap, {kPlace, 4096, 8, kAnon, ~0ULL}, kKill},
      {"mmap_prot_growsdown", __NR_mmap, {kPlace, 4096, PROT_GROWSDOWN, kAnon, ~0ULL}, kKill},
      {"mmap_not_fixed", __NR_mmap, {0, 4096, kRw, kAnon & ~0x10ULL, ~0ULL}, kKill},
      {"mmap_anon_shared",
       __NR_mmap,
       {kPlace, 4096, kRw, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, ~0ULL},
       kKill},
      {"mmap_anon_locked", __NR_mmap, {kPlace, 4096, kRw, kAnon | MAP_LOCKED, ~0ULL}, kKill},
      {"mmap_anon_growsdown", __NR_mmap, {kPlace, 4096, kRw, kAnon | MAP_GROWSDOWN, ~0ULL}, kKill},
      {"mmap_anon_hugetlb", __NR_mmap, {kPlace, 4096, kRw, kAnon | MAP_HUGETLB, ~0ULL}, kKill},
      {"mmap_anon_populate", __NR_mmap, {kPlace, 4096, kRw, kAnon | MAP_POPULATE, ~0ULL}, kKill},
      {"mmap_fd2", __NR_mmap, {kPlace, 4096, 1, MAP_SHARED | MAP_FIXED, 2}, kKill},
      {"mmap_fd3", __NR_mmap, {kPlace, 4096, 1, MAP_SHARED | MAP_FIXED, 3}, kAllow},
      {"mmap_fd4", __NR_mmap, {kPlace, 4096, 1, MAP_PRIVATE | MAP_FIXED, 4}, kAllow},
      {"mmap_fd5",
       __NR_mmap,
       {kPlace, 4096, 1, MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE, 5},
       kAllow},
      {"mmap_fd6", __NR_mmap, {kPlace, 4096, 1, MAP_SHARED | MAP_FIXED, 6}, kKill},
      {"mmap_fd0", __NR_mmap, {kPlace, 4096, 1, MAP_SHARED | MAP_FIXED, 0}, kKill},
      {"mmap_fd63", __NR_mmap, {kPlace, 4096, 1, MAP_SHARED | MAP_FIXED, 63}, kKill},
      {"mmap_fd64", __NR_mmap, {kPlace, 4096, 1, MAP_SHARED | MAP_FIXED, 64}, kAllow},
      {"mmap_fd64_high", __NR_mmap, {kPlace, 4096, 1, MAP_SHARED | MAP_FIXED, kHigh | 64}, kAllow},
      {"mmap_fd1023", __NR_mmap, {kPlace, 4096, 1, MAP_SHARED | MAP_FIXED, 1023}, kAllow},
      {"mmap_fd1024", __NR_mmap, {kPlace, 4096, 1, MAP_SHARED | MAP_FIXED, 1024}, kKill},
      {"mmap_fd_minus1", __NR_mmap, {kPlace, 4096, 1, MAP_SHARED | MAP_FIXED, ~0ULL}, kKill},
      {"mmap_fd_prot8", __NR_mmap, {kPlace, 4096, 8, MAP_SHARED | MAP_FIXED, 64}, kKill},
      {"mmap_fd_not_fixed", __NR_mmap, {kPlace, 4096, 1, MAP_SHARED, 64}, kKill},
      {"mmap_fd_noreplace",
       __NR_mmap,
       {kPlace, 4096, 1, MAP_SHARED | MAP_FIXED_NOREPLACE, 64},
       kKill},
      {"mmap_fd_validate",
       __NR_mmap,
       {kPlace, 4096, 1, MAP_SHARED_VALIDATE | MAP_FIXED, 64},
       kKill},
      {"mmap_shared_noreserve",
       __NR_mmap,
       {kPlace, 4096, 1, MAP_SHARED | MAP_FIXED | MAP_NORESERVE, 64},
       kKill},
      {"mmap_fd_anon_shared",
       __NR_mmap,
       {kPlace, 4096, 1, MAP_SHARED | MAP_FIXED | MAP_ANONYMOUS, 64},
       kKill},

      {"munmap", __NR_munmap, {kPlace, 4096}, kAllow},
      {"mprotect", __NR_mprotect, {kPlace, 4096, 7}, kAllow},
      {"mprotect_8", __NR_mprotect, {kPlace, 4096, 8}, kKill},
      {"mprotect_growsdown", __NR_mprotect, {kPlace, 4096, PROT_GROWSDOWN | 1}, kKill},
      {"mprotect_growsup", __NR_mprotect, {kPlace, 4096, PROT_GROWSUP | 1}, kKill},
      {"mremap", __NR_mremap, {kPlace, 4096, 4096, 3, kPlace + 8192}, kAllow},
      {"mremap_maymove", __NR_mremap, {kPlace, 4096, 4096, MREMAP_MAYMOVE}, kKill},
      {"mremap_plain", __NR_mremap, {kPlace, 4096, 4096, 0}, kKill},
      {"mremap_dontunmap", __NR_mremap, {kPlace, 4096, 4096, 7, kPlace + 8192}, kKill},

      {"madvise_dontneed", __NR_madvise, {kPlace, 4096, MADV_DONTNEED}, kAllow},
      {"madvise_free", __NR_madvise, {kPlace, 4096, MADV_FREE}, kAllow},
      {"madvise_hugepage", __NR_madvise, {kPlace, 4096, MADV_HUGEPAGE}, kAllow},
      {"madvise_nohugepage", __NR_madvise, {kPlace, 4096, MADV_NOHUGEPAGE}, kAllow},
      {"madvise_populate_read", __NR_madvise, {kPlace, 4096, MADV_POPULATE_READ}, kAllow},
      {"madvise_populate_write", __NR_madvise, {kPlace, 4096, MADV_POPULATE_WRITE}, kAllow},
      {"madvise_willneed", __NR_madvise, {kPlace, 4096, MADV_WILLNEED}, kKill},
      {"madvise_remove", __NR_madvise, {kPlace, 4096, MADV_REMOVE}, kKill},
      {"madvise_mergeable", __NR_madvise, {kPlace, 4096, MADV_MERGEABLE}, kKill},
      {"madvise_dontfork", __NR_madvise, {kPlace, 4096, MADV_DONTFORK}, kKill},
      {"madvise_wipeonfork", __NR_madvise, {kPlace, 4096, MADV_WIPEONFORK}, kKill},
      {"madvise_pageout", __NR_madvise, {kPlace, 4096, MADV_PAGEOUT}, kKill},
      {"madvise_collapse", __NR_madvise, {kPlace, 4096, 25}, kKill},
      {"madvise_hwpoison", __NR_madvise, {kPlace, 4096, MADV_HWPOISON}, kKill},

      {"mincore", __NR_mincore, {kPlace, 4096, kPlace}, kAllow},

      {"fallocate", __NR_fallocate, {3, 0, 0, 0}, kAllow},
      {"fallocate_punch",
       __NR_fallocate,
       {3, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 0},
       kAllow},
      {"fallocate_keep_size", __NR_fallocate, {3, FALLOC_FL_KEEP_SIZE}, kKill},
      {"fallocate_collapse", __NR_fallocate, {3, FALLOC_FL_COLLAPSE_RANGE}, kKill},
      {"fallocate_fd4", __NR_fallocate, {4, 0}, kKill},
      {"fallocate_fd64", __NR_fallocate, {64, 3}, kKill},

      {"close_2", __NR_close, {2}, kKill},
      {"close_3", __NR_close, {3}, kKill},
      {"close_6", __NR_close, {6}, kKill},
      {"close_63", __NR_close, {63}, kKill},
      {"close_64", __NR_close, {64}, kAllow},
      {"close_1023", __NR_close, {1023}, kAllow},
      {"close_1024", __NR_close, {1024}, kKill},
      {"close_minus1", __NR_close, {~0ULL}, kKill},

      {"clone_cell", __NR_clone, {SIGCHLD | CLONE_FILES}, kAllow},
      {"clone_sibling",
       __NR_clone,
       {SIGCHLD | CLONE_FILES | CLONE_PARENT | CLONE_PARENT_SETTID},
       kAllow},
      {"clone_untold_sibling", __NR_clone, {SIGCHLD | CLONE_FILES | CLONE_PARENT}, kKill},
      {"clone_plain", __NR_clone, {SIGCHLD}, kKill},
      {"clone_no_signal", __NR_clone, {CLONE_FILES}, kKill},
      {"clone_vm", __NR_clone, {SIGCHLD | CLONE_FILES | CLONE_VM}, kKill},
      {"clone_thread", __NR_clone, {0x0015'0f00}, kKill},
      {"clone_newuser", __NR_clone, {SIGCHLD | CLONE_FILES | CLONE_NEWUSER}, kKill},
      {"clone_newpid", __NR_clone, {SIGCHLD | CLONE_FILES | CLONE_NEWPID}, kKill},
      {"clone_pidfd", __NR_clone, {SIGCHLD | CLONE_FILES | CLONE_PIDFD}, kKill},
      {"clone_ptrace", __NR_clone, {SIGCHLD | CLONE_FILES | CLONE_PTRACE}, kKill},
      {"clone_untraced", __NR_clone, {SIGCHLD | CLONE_FILES | CLONE_UNTRACED}, kKill},
      {"clone3", __NR_clone3, {kPlace, 88}, kKill},

      {"wait4", __NR_wait4, {~0ULL, 0, WNOHANG | __WALL, 0}, kAllow},
      {"wait4_one", __NR_wait4, {5, 0, WNOHANG | __WALL, 0}, kKill},
      {"wait4_group", __NR_wait4, {0, 0, WNOHANG | __WALL, 0}, kKill},
      {"wait4_blocking", __NR_wait4, {~0ULL, 0, __WALL, 0}, kKill},
      {"wait4_nothread", __NR_wait4, {~0ULL, 0, WNOHANG | __WALL | __WNOTHREAD, 0}, kKill},
      {"wait4_rusage", __NR_wait4, {~0ULL, 0, WNOHANG | __WALL, kPlace}, kKill},
      {"wait4_rusage_high", __NR_wait4, {~0ULL, 0, WNOHANG | __WALL, kHigh}, kKill},

      {"write_doorbell", __NR_write, {6, kPlace, 8}, kAllow},
      {"write_7", __NR_write, {6, kPlace, 7}, kKill},
      {"write_9", __NR_write, {6, kPlace, 9}, kKill},
      {"write_high", __NR_write, {6, kPlace, kHigh | 8}, kKill},
      {"write_fd3", __NR_write, {3, kPlace, 8}, kKill},
      {"write_fd1", __NR_write, {1, kPlace, 8}, kKill},
      {"write_fd64", __NR_write, {64, kPlace, 8}, kKill},

      {"timer_create", __NR_timer_create, {CLOCK_MONOTONIC, 0, 0}, kAllow},
      {"timer_create_realtime", __NR_timer_create, {CLOCK_REALTIME, 0, 0}, kKill},
      {"timer_create_cpu", __NR_timer_create, {CLOCK_PROCESS_CPUTIME_ID, 0, 0}, kKill},
      {"timer_create_boottime", __NR_timer_create, {CLOCK_BOOTTIME, 0, 0}, kKill},
      {"timer_settime", __NR_timer_settime, {77, 0, 0, 0}, kAllow},
      {"timer_delete", __NR_timer_delete, {77}, kAllow},
      {"timer_gettime", __NR_timer_gettime, {77, 0}, kKill},
      {"tgkill_probe", __NR_tgkill, {0, 0, 0}, kAllow},
      {"tgkill_alarm", __NR_tgkill, {0, 0, SIGALRM}, kAllow},
      {"tgkill_kill", __NR_tgkill, {0, 0, SIGKILL}, kKill},
      {"tgkill_term", __NR_tgkill, {0, 0, SIGTERM}, kKill},
      {"tgkill_segv", __NR_tgkill, {0, 0, SIGSEGV}, kKill},
      {"tkill", __NR_tkill, {0, SIGALRM}, kKill},
      {"kill", __NR_kill, {0, 0}, kKill},
      {"sigaltstack", __NR_sigaltstack, {0, 0}, kAllow},
      {"rt_sigreturn", __NR_rt_sigreturn, {}, kAllow, false},
      {"restart_syscall", __NR_restart_syscall, {}, kAllow},
      {"exit_group", __NR_exit_group, {0}, kAllow},
      {"exit", __NR_exit, {0}, kKill},
      {"membarrier", __NR_membarrier, {0}, kKill},
      {"rt_sigaction", __NR_rt_sigaction, {SIGALRM, 0, 0, 8}, kKill},
      {"read", __NR_read, {6, kPlace, 8}, kKill},
      {"openat", __NR_openat, {~0ULL, kPlace, 0}, kKill},
      {"dup", __NR_dup, {3}, kKill},
      {"memfd_create", __NR_memfd_create, {kPlace, 0}, kKill},
      {"seccomp", __NR_seccomp, {1, 0, kPlace}, kKill},
      {"prctl", __NR_prctl, {PR_SET_DUMPABLE, 1}, kKill},
  };
  return table;
}

// Only without FSGSBASE; address beyond user space, so that an allowed call fails.
const std::vector<Case>& segment_cases() {
  static const std::vector<Case> table{
      {"set_fs", __NR_arch_prctl, {ARCH_SET_FS, ~0ULL}, kAllow},
      {"set_gs", __NR_arch_prctl, {ARCH_SET_GS, ~0ULL}, kAllow},
      {"get_fs", __NR_arch_prctl, {ARCH_GET_FS, kPlace}, kKill},
      {"set_cpuid", __NR_arch_prctl, {ARCH_SET_CPUID, 0}, kKill},
      {"map_vdso", __NR_arch_prctl, {0x2003, kPlace}, kKill},
  };
  return table;
}

std::uint32_t word_at(const seccomp_data& data, std::uint32_t offset) {
  std::uint32_t word = 0;
  EXPECT_LE(offset + sizeof(word), sizeof(data));
  std::memcpy(&word, reinterpret_cast<const char*>(&data) + offset, sizeof(word));
  return word;
}

/// Runs the instructions that the assembler can make.
std::uint32_t interpret(std::span<const sock_filter> program, const seccomp_data& data) {
  std::uint32_t a = 0;
  for (std::size_t at = 0; at < program.size(); ++at) {
    const sock_filter& line = program[at];
    const auto jump = [&](bool condition) { at += condition ? line.jt : line.jf; };
    switch (line.code) {
      case BPF_LD | BPF_W | BPF_ABS:
        a = word_at(data, line.k);
        break;
      case BPF_ALU | BPF_AND | BPF_K:
        a &= line.k;
        break;
      case BPF_ALU | BPF_SUB | BPF_K:
        a -= line.k;
        break;
      case BPF_JMP | BPF_JEQ | BPF_K:
        jump(a == line.k);
        break;
      case BPF_JMP | BPF_JGT | BPF_K:
        jump(a > line.k);
        break;
      case BPF_JMP | BPF_JGE | BPF_K:
        jump(a >= line.k);
        break;
      case BPF_JMP | BPF_JSET | BPF_K:
        jump((a & line.k) != 0);
        break;
      case BPF_RET | BPF_K:
        return line.k;
      default:
        ADD_FAILURE() << "unknown instruction " << line.code;
        return 0;
    }
  }
  ADD_FAILURE() << "the program runs off its end";
  return 0;
}

seccomp_data from_kernel(std::uint32_t number, const std::array<std::uint64_t, 6>& args = {}) {
  seccomp_data data{.nr = static_cast<int>(number),
                    .arch = AUDIT_ARCH_X86_64,
                    .instruction_pointer = abi::kKernelText + 0x1234,
                    .args = {}};
  std::memcpy(data.args, args.data(), sizeof(data.args));
  return data;
}

std::set<std::uint32_t> numbers_in(const std::vector<Case>& table) {
  std::set<std::uint32_t> numbers;
  for (const Case& one : table) {
    numbers.insert(one.number);
  }
  return numbers;
}

class Rule : public testing::TestWithParam<Case> {};
class SegmentRule : public testing::TestWithParam<Case> {};

TEST_P(Rule, Answers_as_the_table_says) {
  const seccomp_data data = from_kernel(GetParam().number, GetParam().args);
  EXPECT_EQ(interpret(strict_filter({.fsgsbase = true}), data), GetParam().action);
  EXPECT_EQ(interpret(strict_filter({.fsgsbase = false}), data), GetParam().action);
}

TEST_P(SegmentRule, Answers_as_the_table_says) {
  const seccomp_data data = from_kernel(GetParam().number, GetParam().args);
  EXPECT_EQ(interpret(strict_filter({.fsgsbase = true}), data), kKill);
  EXPECT_EQ(interpret(strict_filter({.fsgsbase = false}), data), GetParam().action);
}

TEST(StrictFilter, Kills_every_number_without_a_rule) {
  const auto known = numbers_in(cases());
  for (std::uint32_t number = 0; number < 0x2000; ++number) {
    if (!known.contains(number)) {
      EXPECT_EQ(interpret(strict_filter({.fsgsbase = true}), from_kernel(number)), kKill) << number;
      if (number != __NR_arch_prctl) {
        EXPECT_EQ(interpret(strict_filter({.fsgsbase = false}), from_kernel(number)), kKill)
            << number;
      }
    }
  }
}

TEST(StrictFilter, Traps_what_does_not_come_from_kernel_text) {
  for (const std::uint64_t caller :
       {std::uint64_t{0x40'1000}, abi::kKernelText - 1, abi::kKernelText + abi::kTextLimit,
        abi::kKernelText + (1UL << 32), abi::kKernelHeap, ~0UL}) {
    for (const Case& one : cases()) {
      seccomp_data data = from_kernel(one.number, one.args);
      data.instruction_pointer = caller;
      EXPECT_EQ(interpret(strict_filter({.fsgsbase = true}), data), SECCOMP_RET_TRAP) << one.name;
    }
  }
}

TEST(StrictFilter, Traps_the_other_conventions) {
  for (const Case& one : cases()) {
    seccomp_data data = from_kernel(one.number, one.args);
    data.arch = AUDIT_ARCH_I386;
    EXPECT_EQ(interpret(strict_filter({.fsgsbase = true}), data), SECCOMP_RET_TRAP) << one.name;
    data = from_kernel(one.number | 0x4000'0000U, one.args);
    EXPECT_EQ(interpret(strict_filter({.fsgsbase = true}), data), SECCOMP_RET_TRAP) << one.name;
  }
}

TEST(StrictFilter, Accepts_both_ends_of_kernel_text) {
  seccomp_data data = from_kernel(__NR_exit_group);
  for (const std::uint64_t caller : {abi::kKernelText, abi::kKernelText + abi::kTextLimit - 1}) {
    data.instruction_pointer = caller;
    EXPECT_EQ(interpret(strict_filter({.fsgsbase = true}), data), kAllow);
  }
}

TEST(StrictFilter, Differs_without_a_listener_in_the_reserved_call_alone) {
  for (const bool fsgsbase : {true, false}) {
    const auto alone = strict_filter({.fsgsbase = fsgsbase, .listener = false});
    for (const auto& table : {cases(), segment_cases()}) {
      for (const Case& one : table) {
        const seccomp_data data = from_kernel(one.number, one.args);
        const std::uint32_t beside = interpret(strict_filter({.fsgsbase = fsgsbase}), data);
        EXPECT_EQ(interpret(alone, data), one.number == abi::kReservedCall ? kKill : beside)
            << one.name;
      }
    }
    for (const sock_filter& instruction : alone) {
      const bool notifies =
          BPF_CLASS(instruction.code) == BPF_RET && instruction.k == SECCOMP_RET_USER_NOTIF;
      EXPECT_FALSE(notifies);
    }
  }
}

TEST(NotifyFilter, Notifies_the_reserved_call_alone) {
  for (std::uint32_t number = 0; number < 0x2000; ++number) {
    EXPECT_EQ(interpret(notify_filter(), from_kernel(number)),
              number == abi::kReservedCall ? SECCOMP_RET_USER_NOTIF : kAllow);
  }
}

// ---- executed by the host ----------------------------------------------------------------------

#if defined(__SANITIZE_THREAD__)
constexpr bool kCanExecute = false;  // its run time forbids mappings in the window
#else
constexpr bool kCanExecute = true;
#endif

using Call = long (*)(long, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t,
                      std::uint64_t, std::uint64_t);

/// syscall(2)'s instructions at an address that the filter takes for kernel text.
Call call_from_kernel_text() {
  constexpr std::array<std::uint8_t, 26> kCode{0x48, 0x89, 0xf8, 0x48, 0x89, 0xf7, 0x48, 0x89, 0xd6,
                                               0x48, 0x89, 0xca, 0x4d, 0x89, 0xc2, 0x4d, 0x89, 0xc8,
                                               0x4c, 0x8b, 0x4c, 0x24, 0x08, 0x0f, 0x05, 0xc3};
  void* const place =
      ::mmap(reinterpret_cast<void*>(abi::kKernelText), 4096, kRw, static_cast<int>(kAnon), -1, 0);
  if (place == MAP_FAILED) {
    return nullptr;
  }
  std::memcpy(place, kCode.data(), kCode.size());
  (void)::mprotect(place, 4096, PROT_READ | PROT_EXEC);
  // SAFETY: the page holds that code.
  return reinterpret_cast<Call>(place);
}

[[noreturn]] void make_call_after_fork(const Case& one, bool fsgsbase) {
  const Call call = call_from_kernel_text();
  const auto filter = strict_filter({.fsgsbase = fsgsbase});
  const sock_fprog program{static_cast<unsigned short>(filter.size()),
                           const_cast<sock_filter*>(filter.data())};
  if (call == nullptr || ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      ::syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) != 0) {
    ::_exit(99);
  }
  const auto& a = one.args;
  (void)call(one.number, a[0], a[1], a[2], a[3], a[4], a[5]);
  (void)call(__NR_exit_group, 0, 0, 0, 0, 0, 0);
  __builtin_unreachable();
}

/// What became of a child that made the call.
std::string outcome(const Case& one, bool fsgsbase) {
  const pid_t child = ::fork();
  if (child == 0) {
    make_call_after_fork(one, fsgsbase);
  }
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  while (::waitpid(-1, nullptr, 0) > 0) {  // the sibling of clone_sibling
  }
  if (WIFSIGNALED(status)) {
    return WTERMSIG(status) == SIGSYS ? "killed" : "signal " + std::to_string(WTERMSIG(status));
  }
  return WEXITSTATUS(status) == 0 ? "allowed" : "exit " + std::to_string(WEXITSTATUS(status));
}

std::string expected(std::uint32_t action) {
  return action == kAllow ? "allowed" : "killed";
}

TEST_P(Rule, Is_enforced_by_the_host) {
  if (!kCanExecute || !GetParam().execute) {
    GTEST_SKIP() << "cannot be executed here";
  }
  EXPECT_EQ(outcome(GetParam(), true), expected(GetParam().action));
}

TEST_P(SegmentRule, Is_enforced_by_the_host) {
  if (!kCanExecute) {
    GTEST_SKIP() << "cannot be executed here";
  }
  EXPECT_EQ(outcome(GetParam(), true), "killed");
  EXPECT_EQ(outcome(GetParam(), false), expected(GetParam().action));
}

std::string name_of(const testing::TestParamInfo<Case>& info) {
  return info.param.name;
}
INSTANTIATE_TEST_SUITE_P(Table, Rule, testing::ValuesIn(cases()), name_of);
INSTANTIATE_TEST_SUITE_P(Table, SegmentRule, testing::ValuesIn(segment_cases()), name_of);

}  // namespace
}  // namespace runhl::vmm::cell
