// SPDX-License-Identifier: Apache-2.0
#include "cell/filter.h"

#include <asm/prctl.h>
#include <asm/unistd_64.h>
#include <linux/audit.h>
#include <linux/falloc.h>
#include <linux/futex.h>
#include <linux/mman.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <csignal>
#include <cstddef>
#include <ctime>

#include "runhl/abi/layout.h"
#include "runhl/vmm/cell/bpf_assembler.h"

namespace runhl::vmm::cell {

namespace {

constexpr std::size_t kNumber = offsetof(seccomp_data, nr);
constexpr std::size_t kArch = offsetof(seccomp_data, arch);
constexpr std::size_t kCallerLow = offsetof(seccomp_data, instruction_pointer);
constexpr std::size_t kCallerHigh = kCallerLow + 4;

constexpr std::uint32_t kNotAccess =
    ~static_cast<std::uint32_t>(PROT_READ | PROT_WRITE | PROT_EXEC);

constexpr auto kNotifyFilter = assemble<[](BpfAssembler& p) {
  const auto other = p.label();
  // The host walks a new filter for each number there is, to learn which it lets through whatever
  // the arguments are. That is no use here, as the strict one answers by who calls; a filter that
  // begins with a value that is not known before the call is not walked.
  p.load(kCallerHigh);
  p.load(kNumber);
  p.jump_unless_equal(abi::kReservedCall, other);
  p.answer(SECCOMP_RET_USER_NOTIF);
  p.bind(other);
  p.answer(SECCOMP_RET_ALLOW);
}>();
static_assert(kNotifyFilter.size() == 5);

template <bool Fsgsbase, bool Listener>
constexpr void write_strict(BpfAssembler& p) {
  const auto allow = p.label(), kill = p.label(), trap = p.label();
  const auto futex = p.label(), mmap = p.label(), mmap_file = p.label(), protect = p.label();
  const auto advise = p.label(), write = p.label(), close = p.label(), remap = p.label();
  const auto tgkill = p.label(), clone = p.label(), wait = p.label(), allocate = p.label();
  const auto timer = p.label(), arch_prctl = p.label();

  // Calls of programs. Whatever does not come from kernel text in the native convention becomes
  // SIGSYS, which is how the guest kernel serves it.
  p.load(kArch);
  p.jump_unless_equal(AUDIT_ARCH_X86_64, trap);
  p.load(kCallerHigh);
  p.jump_unless_equal(abi::kKernelText >> 32, trap);
  p.load(kCallerLow);
  p.jump_if_at_least(static_cast<std::uint32_t>(abi::kTextLimit), trap);
  p.load(kNumber);
  p.jump_if_any_bit(kX32Bit, trap);

  // Calls of the kernel, the frequent ones first. (Since 6.14 the host shows uretprobe and uprobe,
  // 335 and 336, to no filter; called from anywhere but its own trampoline they do nothing.)
  p.jump_if_equal(__NR_futex, futex);  // idle, hand-over of the run token
  if constexpr (Listener) {
    p.jump_if_equal(abi::kReservedCall, allow);  // host calls; USER_NOTIF of the first filter wins
  }
  p.jump_if_equal(__NR_rt_sigreturn, allow);   // return from a host signal
  p.jump_if_equal(__NR_write, write);          // doorbell of the ring
  p.jump_if_equal(__NR_mmap, mmap);            // guest memory, injected files
  p.jump_if_equal(__NR_munmap, allow);         // guest munmap, exec
  p.jump_if_equal(__NR_mprotect, protect);     // guest mprotect, rewriting of call sites
  p.jump_if_equal(__NR_madvise, advise);       // guest madvise, memory given back
  p.jump_if_equal(__NR_timer_settime, allow);  // tick; names only timers of this cell
  p.jump_if_equal(__NR_tgkill, tgkill);        // kick of a running carrier
  p.jump_if_equal(__NR_clone, clone);          // guest fork
  p.jump_if_equal(__NR_close, close);          // an injected file that nobody uses any more
  p.jump_if_equal(__NR_mremap, remap);         // guest mremap
  p.jump_if_equal(__NR_fallocate, allocate);   // kernel memory given back
  p.jump_if_equal(__NR_mincore, allow);        // which pages of the cell's own memory are there
  p.jump_if_equal(__NR_wait4, wait);           // cell 0 reaps
  p.jump_if_equal(__NR_sigaltstack, allow);    // each carrier's own signal stack
  p.jump_if_equal(__NR_timer_create, timer);   // one tick a carrier
  p.jump_if_equal(__NR_timer_delete, allow);   // of a carrier that ends
  p.jump_if_equal(__NR_exit_group, allow);     // end of a cell
  // The host itself puts this number in place of a futex wait with a timeout that a stop or the
  // cgroup freezer interrupted. It continues such a wait and can start nothing.
  p.jump_if_equal(__NR_restart_syscall, allow);
  if constexpr (!Fsgsbase) {
    p.jump_if_equal(__NR_arch_prctl, arch_prctl);  // segment bases of tasks and carriers
  }
  p.answer(SECCOMP_RET_KILL_PROCESS);

  p.bind(futex);  // WAIT and WAKE only: no requeue, no priority inheritance
  p.load(low(1));
  p.mask(~static_cast<std::uint32_t>(FUTEX_PRIVATE_FLAG));
  p.jump_if_equal(FUTEX_WAIT, allow);
  p.jump_if_equal(FUTEX_WAKE, allow);
  p.answer(SECCOMP_RET_KILL_PROCESS);

  p.bind(write);  // one counter to the doorbell
  p.load(low(0));
  p.jump_unless_equal(abi::kFdDoorbell, kill);
  p.load(high(2));
  p.jump_unless_equal(0, kill);
  p.load(low(2));
  p.jump_if_equal(sizeof(std::uint64_t), allow);
  p.answer(SECCOMP_RET_KILL_PROCESS);

  p.bind(mmap);    // always at a place of the kernel's choice; flags exactly, or an allowed
  p.load(low(2));  // descriptor with MAP_ANONYMOUS would pass
  p.jump_if_any_bit(kNotAccess, kill);
  p.load(low(3));
  p.jump_if_equal(MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, allow);
  p.jump_if_equal(MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, allow);
  p.jump_if_equal(MAP_SHARED | MAP_FIXED, mmap_file);
  p.jump_if_equal(MAP_PRIVATE | MAP_FIXED, mmap_file);
  p.jump_unless_equal(MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE, kill);
  p.bind(mmap_file);  // kernel memory, initrd, snapshot, injected files; not the doorbell
  p.load(low(4));
  p.jump_if_equal(abi::kFdKernelMemory, allow);
  p.jump_if_equal(abi::kFdInitrd, allow);
  p.jump_if_equal(abi::kFdSnapshot, allow);
  p.subtract(abi::kFdInjectedFirst);  // wraps to a large number below it
  p.jump_if_above(abi::kFdInjectedLast - abi::kFdInjectedFirst, kill);
  p.answer(SECCOMP_RET_ALLOW);

  p.bind(protect);
  p.load(low(2));
  p.jump_if_any_bit(kNotAccess, kill);
  p.answer(SECCOMP_RET_ALLOW);

  p.bind(advise);
  p.load(low(2));
  p.jump_if_equal(MADV_DONTNEED, allow);
  p.jump_if_equal(MADV_FREE, allow);
  p.jump_if_equal(MADV_HUGEPAGE, allow);
  p.jump_if_equal(MADV_NOHUGEPAGE, allow);
  p.jump_if_equal(MADV_POPULATE_READ, allow);
  p.jump_if_equal(MADV_POPULATE_WRITE, allow);
  p.answer(SECCOMP_RET_KILL_PROCESS);

  p.bind(tgkill);  // the pid namespace holds cells only, so a cell can be named at most
  p.load(low(2));
  p.jump_if_equal(0, allow);
  p.jump_if_equal(SIGALRM, allow);
  p.answer(SECCOMP_RET_KILL_PROCESS);

  p.bind(clone);  // a cell, never a namespace or a thread; clone3 hides its flags behind a pointer
  p.load(low(0));
  p.jump_if_equal(SIGCHLD | CLONE_FILES, allow);
  p.jump_if_equal(SIGCHLD | CLONE_FILES | CLONE_PARENT | CLONE_PARENT_SETTID, allow);
  p.answer(SECCOMP_RET_KILL_PROCESS);

  p.bind(close);
  p.load(low(0));
  p.subtract(abi::kFdInjectedFirst);
  p.jump_if_above(abi::kFdInjectedLast - abi::kFdInjectedFirst, kill);
  p.answer(SECCOMP_RET_ALLOW);

  p.bind(remap);
  p.load(low(3));
  p.jump_if_equal(MREMAP_MAYMOVE | MREMAP_FIXED, allow);
  p.answer(SECCOMP_RET_KILL_PROCESS);

  p.bind(allocate);
  p.load(low(0));
  p.jump_unless_equal(abi::kFdKernelMemory, kill);
  p.load(low(1));
  p.jump_if_equal(0, allow);
  p.jump_if_equal(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, allow);
  p.answer(SECCOMP_RET_KILL_PROCESS);

  p.bind(wait);  // any child, without waiting for it
  p.load(low(0));
  p.jump_unless_equal(~0U, kill);
  p.load(low(2));
  p.jump_unless_equal(WNOHANG | __WALL, kill);
  p.load(low(3));
  p.jump_unless_equal(0, kill);
  p.load(high(3));
  p.jump_if_equal(0, allow);
  p.answer(SECCOMP_RET_KILL_PROCESS);

  p.bind(timer);
  p.load(low(0));
  p.jump_if_equal(CLOCK_MONOTONIC, allow);
  p.answer(SECCOMP_RET_KILL_PROCESS);

  if constexpr (!Fsgsbase) {
    p.bind(arch_prctl);
    p.load(low(0));
    p.jump_if_equal(ARCH_SET_FS, allow);
    p.jump_if_equal(ARCH_SET_GS, allow);
    p.answer(SECCOMP_RET_KILL_PROCESS);
  }

  p.bind(kill);
  p.answer(SECCOMP_RET_KILL_PROCESS);
  p.bind(allow);
  p.answer(SECCOMP_RET_ALLOW);
  p.bind(trap);
  p.answer(SECCOMP_RET_TRAP);
}

constexpr auto kStrictFilter = assemble<write_strict<true, true>>();
constexpr auto kStrictFilterWithArchPrctl = assemble<write_strict<false, true>>();
constexpr auto kNoListener = assemble<write_strict<true, false>>();
constexpr auto kNoListenerWithArchPrctl = assemble<write_strict<false, false>>();

}  // namespace

std::span<const sock_filter> notify_filter() {
  return kNotifyFilter;
}

std::span<const sock_filter> strict_filter(const StrictRules& rules) {
  if (rules.listener) {
    return rules.fsgsbase ? std::span<const sock_filter>(kStrictFilter)
                          : std::span<const sock_filter>(kStrictFilterWithArchPrctl);
  }
  return rules.fsgsbase ? std::span<const sock_filter>(kNoListener)
                        : std::span<const sock_filter>(kNoListenerWithArchPrctl);
}

}  // namespace runhl::vmm::cell
