// SPDX-License-Identifier: Apache-2.0
// Every call that a cell may make to the host: what the strict filter allows and nothing else. Any
// other number from kernel text ends the cell. Results are >= 0 or -errno, as the host gives them.
//
// These run in any context; those that may block say so.
#pragma once

#include <asm/prctl.h>
#include <asm/unistd_64.h>
#include <linux/futex.h>
#include <linux/mman.h>
#include <linux/sched.h>
#include <linux/time_types.h>

#include <cstddef>
#include <cstdint>

#include "arch/x86_64/carrier.h"
#include "runhl/abi/layout.h"

extern "C" {
std::int64_t runhl_reserved_call(std::uint32_t index);
std::int64_t runhl_memory_call(const std::uint64_t* words);
}

namespace runhl::kernel::host {

// SAFETY (all): the instruction lies in kernel text, the host writes only through the pointers
// that each call's kernel interface names, and clobbers rcx and r11.
[[gnu::always_inline]] inline std::int64_t call(std::int64_t number, std::uint64_t a0 = 0,
                                                std::uint64_t a1 = 0, std::uint64_t a2 = 0,
                                                std::uint64_t a3 = 0, std::uint64_t a4 = 0,
                                                std::uint64_t a5 = 0) {
  register std::uint64_t r10 asm("r10") = a3;
  register std::uint64_t r8 asm("r8") = a4;
  register std::uint64_t r9 asm("r9") = a5;
  std::int64_t result = number;
  asm volatile("syscall"
               : "+a"(result)
               : "D"(a0), "S"(a1), "d"(a2), "r"(r10), "r"(r8), "r"(r9)
               : "rcx", "r11", "memory");
  return result;
}

template <typename T>
std::uint64_t address_of(T* pointer) {
  return reinterpret_cast<std::uint64_t>(pointer);
}

// ---- memory ------------------------------------------------------------------------------------

/// Of the calling cell's own mappings. The host takes memory for these: they are given up when it
/// kills the cell for that (arch/x86_64/give_up.inc), and the answer is -EOWNERDEAD then.
inline std::int64_t memory_call(std::uint64_t number, std::uint64_t a0, std::uint64_t a1,
                                std::uint64_t a2 = 0, std::uint64_t a3 = 0, std::uint64_t a4 = 0,
                                std::uint64_t a5 = 0) {
  const std::uint64_t words[]{number, a0, a1, a2, a3, a4, a5};
  // Not 0: a copy ran into a fault, and this is for it.
  const std::uint64_t around = this_carrier().give_up_rsp;
  const std::int64_t result = runhl_memory_call(words);
  if (around != 0) {
    this_carrier().give_up_rsp = around;
  }
  return result;
}
inline std::int64_t mmap(std::uint64_t address, std::uint64_t length, std::uint32_t protection,
                         std::uint32_t flags, int fd, std::uint64_t offset) {
  return memory_call(__NR_mmap, address, length, protection, flags,
                     static_cast<std::uint64_t>(std::int64_t{fd}), offset);
}
inline std::int64_t munmap(std::uint64_t address, std::uint64_t length) {
  return memory_call(__NR_munmap, address, length);
}
inline std::int64_t mprotect(std::uint64_t address, std::uint64_t length,
                             std::uint32_t protection) {
  return memory_call(__NR_mprotect, address, length, protection);
}
inline std::int64_t mremap(std::uint64_t from, std::uint64_t from_length, std::uint64_t to,
                           std::uint64_t to_length) {
  return memory_call(__NR_mremap, from, from_length, to_length, MREMAP_MAYMOVE | MREMAP_FIXED, to);
}
inline std::int64_t madvise(std::uint64_t address, std::uint64_t length, int advice) {
  return memory_call(__NR_madvise, address, length, static_cast<std::uint64_t>(advice));
}
inline std::int64_t mincore(std::uint64_t address, std::uint64_t length, std::byte* pages) {
  return call(__NR_mincore, address, length, address_of(pages));
}
/// mode 0 or PUNCH_HOLE|KEEP_SIZE, of the kernel memory.
inline std::int64_t fallocate(std::uint32_t mode, std::uint64_t offset, std::uint64_t length) {
  return call(__NR_fallocate, abi::kFdKernelMemory, mode, offset, length);
}
inline std::int64_t close(int injected_fd) {
  return call(__NR_close, static_cast<std::uint64_t>(injected_fd));
}

// ---- waiting and the monitor
// ---------------------------------------------------------------------

/// Blocks while *word == expected. The words are shared between processes, so never PRIVATE.
inline std::int64_t futex_wait(const std::uint32_t* word, std::uint32_t expected,
                               const __kernel_timespec* timeout) {
  return call(__NR_futex, address_of(word), FUTEX_WAIT, expected, address_of(timeout));
}
inline std::int64_t futex_wake(std::uint32_t* word, std::uint32_t count) {
  return call(__NR_futex, address_of(word), FUTEX_WAKE, count);
}
/// Blocks until the monitor answered request slot `index`. -EOWNERDEAD: the cell died meanwhile
/// (arch/x86_64/host_call.S).
inline std::int64_t reserved_call(std::uint32_t index) {
  return runhl_reserved_call(index);
}
inline std::int64_t ring_doorbell() {
  const std::uint64_t one = 1;
  return call(__NR_write, abi::kFdDoorbell, address_of(&one), sizeof(one));
}

// ---- carriers and cells
// --------------------------------------------------------------------------

inline std::int64_t reap_any(int* status) {
  return call(__NR_wait4, ~std::uint64_t{0}, address_of(status),
              1 /* WNOHANG */ | 0x40000000 /* __WALL */, 0);
}
struct SignalStack {  // stack_t
  std::uint64_t address;
  std::int32_t flags;
  std::uint64_t size;
};
inline std::int64_t sigaltstack(const SignalStack& stack) {
  return call(__NR_sigaltstack, address_of(&stack), 0);
}
inline std::int64_t tgkill(std::int32_t cell, std::int32_t tid, int signal) {
  return call(__NR_tgkill, static_cast<std::uint64_t>(cell), static_cast<std::uint64_t>(tid),
              static_cast<std::uint64_t>(signal));
}
[[noreturn]] inline void exit_group(int status) {
  for (;;) {
    call(__NR_exit_group, static_cast<std::uint64_t>(status));
  }
}
/// Only where FSGSBASE is missing.
inline std::int64_t arch_prctl(int code, std::uint64_t value) {
  return call(__NR_arch_prctl, static_cast<std::uint64_t>(code), value);
}

// ---- timers
// ----------------------------------------------------------------------------------------

/// A CLOCK_MONOTONIC timer that raises SIGALRM in thread `tid` of this cell.
inline std::int64_t timer_create(std::int32_t tid, std::int32_t* id) {
  struct Event {  // struct sigevent
    std::uint64_t value;
    std::int32_t signal;
    std::int32_t notify;
    std::int32_t tid;
    std::int32_t pad[11];
  } event{0, 14 /* SIGALRM */, 4 /* SIGEV_THREAD_ID */, tid, {}};
  static_assert(sizeof(event) == 64);
  return call(__NR_timer_create, 1 /* CLOCK_MONOTONIC */, address_of(&event), address_of(id));
}
inline std::int64_t timer_settime(std::int32_t id, bool absolute, const __kernel_itimerspec& when) {
  return call(__NR_timer_settime, static_cast<std::uint64_t>(id), absolute ? 1 : 0,
              address_of(&when), 0);
}

}  // namespace runhl::kernel::host

extern "C" {
/// clone(2) with SIGCHLD|CLONE_FILES. The child starts in `entry` on `stack_top` and never returns.
/// Parent: the child's pid, or -errno. (entry.S)
std::int64_t runhl_clone_cell(std::uint64_t flags, std::uint64_t stack_top, void (*entry)());
/// The same with CLONE_PARENT|CLONE_PARENT_SETTID, too, given up when this cell dies: -EOWNERDEAD,
/// and `pid` is not 0 if the child came to be before. (host_call.S)
std::int64_t runhl_clone_running_cell(std::uint64_t flags, std::uint64_t stack_top, void (*entry)(),
                                      std::int32_t* pid);
}
