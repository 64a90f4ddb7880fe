// SPDX-License-Identifier: Apache-2.0
// A guest thread and what it shares with its process.
//
//   Task ──► Process ──► AddressSpace (mm/), FdTable (fs/), FsContext (fs/), SignalHands
//     │         └── one cell (host process)
//     └── kernel stack, user frame on top of it, saved FPU image and segment bases
//
// Run time has one process of one thread for now; the types are for many.
#pragma once

#include <array>
#include <atomic>
#include <boost/intrusive/list_hook.hpp>
#include <cstdint>
#include <memory>

#include "proc/credentials.h"
#include "proc/task_signals.h"
#include "runhl/abi/boot.h"
#include "sched/lock_trace.h"
#include "sched/timers.h"
#include "sched/wait.h"

namespace runhl::kernel {

class AddressSpace;    // mm/address_space.h
class FdTable;         // fs/fd_table.h
class FsContext;       // fs/fs_context.h: root, cwd, umask
struct SignalState;    // proc/signals.h
struct IntervalTimer;  // proc/interval_timer.h
struct Rewriter;       // arch/x86_64/rewrite.h
struct Vcpu;           // sched/scheduler.h

/// The program's registers, at a fixed place at the top of the task's kernel stack. entry.S knows
/// the order.
struct UserFrame {
  std::uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
  std::uint64_t orig_rax;  // syscall number, ~0: not a syscall
  std::uint64_t rip, rflags, rsp;
};

struct Process {
  std::int32_t pid = 0;
  AddressSpace* mm = nullptr;
  FdTable* files = nullptr;
  FsContext* fs = nullptr;
  SignalState* signals = nullptr;
  Process* parent = nullptr;
  std::array<abi::BootRlimit, 16> rlimits{};  // by RLIMIT_* number
  bool no_new_privileges = false;
  bool dumpable = true;
  Rewriter* rewriter = nullptr;  // of the address space
  IntervalTimer* real_timer = nullptr;
};

enum class TaskState : std::uint32_t { Running, Runnable, Sleeping, Dead };

struct Task {
  std::int32_t tid = 0;
  Process* process = nullptr;
  Credentials credentials;
  UserFrame* frame = nullptr;      // of the current entry
  std::uint64_t kernel_stack = 0;  // lowest address
  std::uint64_t fs_base = 0, gs_base = 0;
  std::uint64_t clear_child_tid = 0;
  std::array<char, 16> name{};
  bool in_syscall = false;

  // What follows belongs to sched/ and proc/signals.
  TaskSignals signals;
  std::atomic<TaskState> state{TaskState::Runnable};
  std::atomic<bool> on_cpu{false};  // its stack and registers are in use
  Vcpu* vcpu = nullptr;             // whose run queue it is on, or ran on last
  std::uint64_t saved_rsp = 0;      // while it does not run
  std::uint64_t kernel_stack_top = 0;
  std::byte* fpu = nullptr;  // XSAVE area; null: never runs user code
  bool idle = false;
  bool holds_kernel_lock = false;
  LockTrace locks;
  Timer sleep_timer;
  boost::intrusive::list_member_hook<> run_hook;
};

/// The task that runs on this vCPU. Not null except early in boot.
Task& current();

}  // namespace runhl::kernel
