// SPDX-License-Identifier: Apache-2.0
#include "syscalls/dispatch.h"

#include <asm/unistd_64.h>
#include <linux/audit.h>

#include <array>
#include <optional>

#include "arch/x86_64/rewrite.h"
#include "core/panic.h"
#include "core/user_memory.h"
#include "host/events.h"
#include "proc/cpu_time.h"
#include "proc/interrupted.h"
#include "proc/signals.h"
#include "sched/scheduler.h"
#include "syscalls/handlers.h"
#include "syscalls/privileged.h"
#include "syscalls/syscall.h"
#include "syscalls/table.h"

#ifndef __NR_fchmodat2  // Linux 6.6, younger than Debian 12's headers
#define __NR_fchmodat2 452
#endif

namespace runhl::kernel {

namespace {

#define RUNHL_ASSERT_NUMBER(number, name, handler, support, locks, missing) \
  static_assert((number) == __NR_##name);
RUNHL_SYSCALL_TABLE(RUNHL_ASSERT_NUMBER)
#undef RUNHL_ASSERT_NUMBER

constexpr std::size_t kTableSize = 512;

struct Entry {
  SyscallHandler handler = nullptr;
  LockClass lock_class = LockClass::Free;
};

constexpr std::array<Entry, kTableSize> make_table() {
  std::array<Entry, kTableSize> table{};
#define RUNHL_FILL(number, name, handler, support, locks, missing) \
  table[number] = {&(handler), LockClass::locks};
  RUNHL_SYSCALL_TABLE(RUNHL_FILL)
#undef RUNHL_FILL
  return table;
}
constexpr std::array<Entry, kTableSize> kTable = make_table();

SyscallResult unimplemented(std::uint32_t number) {
  const std::optional<unsigned> wanted = wanted_capability(number);
  if (wanted && !current().credentials.has(*wanted)) {
    return fail(EPERM);
  }
  abi::GuestStats& stats = host_header().stats;
  ++stats.unimplemented_syscalls;
  if (number < stats.unimplemented.size()) {
    ++stats.unimplemented[number];
  }
  return fail(ENOSYS);
}

/// Calls that Linux begins again after a handler with SA_RESTART (signal(7)).
bool is_restartable(std::uint32_t number) {
  switch (number) {
    case __NR_read:
    case __NR_write:
    case __NR_readv:
    case __NR_writev:
    case __NR_pread64:
    case __NR_pwrite64:
    case __NR_preadv:
    case __NR_pwritev:
    case __NR_preadv2:
    case __NR_pwritev2:
    case __NR_open:
    case __NR_openat:
    case __NR_openat2:
    case __NR_ioctl:
    case __NR_fcntl:
    case __NR_flock:
    case __NR_wait4:
    case __NR_waitid:
    case __NR_accept:
    case __NR_accept4:
    case __NR_connect:
    case __NR_recvfrom:
    case __NR_recvmsg:
    case __NR_sendto:
    case __NR_sendmsg:
    case __NR_recvmmsg:
    case __NR_sendmmsg:
    case __NR_splice:
    case __NR_tee:
    case __NR_vmsplice:
    case __NR_sendfile:
    case __NR_getrandom:
      return true;
    default:
      return false;
  }
}

std::uint64_t error_value(std::uint32_t number, Errno error) {
  int code = to_int(error);
  if (code == kInterrupted) {
    code = EINTR;
  } else if (code == EINTR && is_restartable(number)) {
    code = kRestartSys;
  }
  if (code >= kRestartSys) {
    this_cpu().raise(kPendSignal);  // the exit turns it into EINTR or a restart
  }
  return static_cast<std::uint64_t>(-static_cast<std::int64_t>(code));
}

/// rax of the finished call. By reference: copies of a Result are what a hot call would spend its
/// time on.
std::uint64_t value_of(std::uint32_t number, const SyscallResult& result) {
  return result ? *result : error_value(number, result.error());
}

std::uint64_t call_handler(std::uint32_t number, const SyscallArgs& args) {
  const Entry entry = number < kTableSize ? kTable[number] : Entry{};
  if (entry.handler == nullptr) [[unlikely]] {
    return value_of(number, unimplemented(number));
  }
  if (entry.lock_class == LockClass::Big) {
    const KernelLock::Guard guard;
    return value_of(number, entry.handler(args));
  }
  return value_of(number, entry.handler(args));
}

void dispatch(UserFrame& frame) {
  Task& task = current();
  task.frame = &frame;
  task.in_syscall = true;
  const auto number = static_cast<std::uint32_t>(frame.orig_rax);
  const SyscallArgs args{frame.rdi, frame.rsi, frame.rdx, frame.r10, frame.r8, frame.r9};
  frame.rax = call_handler(number, args);
  task.in_syscall = false;
#ifdef KERNEL_DEBUG
  if (!task.locks.empty() || task.holds_kernel_lock) {
    panic("system call left a lock held");
  }
#endif
}

}  // namespace

void syscall_trapped(UserFrame& frame, std::uint32_t architecture) {
  constexpr std::uint32_t kX32 = 0x4000'0000;
  ++host_header().stats.trapped_syscalls;
  const auto number = static_cast<std::uint32_t>(frame.orig_rax);
  if (architecture != AUDIT_ARCH_X86_64 || (number & kX32) != 0) {
    // int 0x80 and x32: the numbers mean other calls.
    frame.rax = static_cast<std::uint64_t>(-ENOSYS);
    frame.orig_rax = ~0ULL;
    return;
  }
  const SystemTime time;
  rewrite_note_trap(frame, number);
  dispatch(frame);
}

bool emulate_vsyscall(UserFrame& frame, std::uint64_t address) {
  // arch/x86/include/uapi/asm/vsyscall.h: the page and its three entries.
  constexpr std::uint64_t kPage = 0xffff'ffff'ff60'0000;
  constexpr std::uint64_t kEntrySize = 1024;
  constexpr std::array<std::uint32_t, 3> kCalls{__NR_gettimeofday, __NR_time, __NR_getcpu};
  const std::uint64_t entry = (address - kPage) / kEntrySize;
  if (address < kPage || entry >= kCalls.size() || frame.rip != address) {
    return false;
  }
  const Result<std::uint64_t> return_address = UserIn<std::uint64_t>(frame.rsp).copy_in();
  if (!return_address) {
    return false;
  }
  frame.rip = *return_address;
  frame.rsp += sizeof(std::uint64_t);
  frame.orig_rax = kCalls[entry];
  dispatch(frame);
  return true;
}

}  // namespace runhl::kernel

extern "C" void runhl_syscall_fast(runhl::kernel::UserFrame* frame) {
  ++runhl::kernel::host_header().stats.fast_syscalls;
  runhl::kernel::dispatch(*frame);
}
