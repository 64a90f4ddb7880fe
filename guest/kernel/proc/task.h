// SPDX-License-Identifier: Apache-2.0
// A guest thread, its process, and what they share with others (clone(2)).
//
//   Task ──► Process ──► Cell ──► AddressSpace (mm/), Rewriter, Carrier     CLONE_VM
//     │         ├──► SignalState ──► SignalHands                            CLONE_SIGHAND
//     │         └──► parent, children, tasks, ProcessGroup ──► Session
//     ├──► FdTable (fs/)                                                    CLONE_FILES
//     ├──► FsContext (fs/)                                                  CLONE_FS
//     └──► kernel stack, user frame on top of it, saved FPU image and segment bases
//
// Tasks and processes are counted: whoever keeps one across a sleep holds a Ref. The family
// (parent, children, tasks, group, the numbers) is guarded by the lock of the process table
// (proc/process_table.h).
#pragma once

#include <array>
#include <atomic>
#include <boost/intrusive/list.hpp>
#include <cstdint>

#include "core/user_memory.h"
#include "fs/poll_source.h"
#include "mm/ref.h"
#include "proc/cpu_time.h"
#include "proc/credentials.h"
#include "proc/pid.h"
#include "proc/posix_timer.h"
#include "proc/restart.h"
#include "proc/rseq.h"
#include "proc/task_signals.h"
#include "runhl/abi/boot.h"
#include "sched/lock_trace.h"
#include "sched/timers.h"
#include "sched/wait.h"

namespace runhl::kernel {

class AddressSpace;    // mm/address_space.h
class FdTable;         // fs/fd_table.h
class FsContext;       // fs/fs_context.h: root, cwd, umask
struct Cell;           // proc/cell.h
struct IntervalTimer;  // proc/interval_timer.h
struct Process;
struct ProgramImage;  // proc/program_image.h
struct Rewriter;      // arch/x86_64/rewrite.h
struct SignalState;   // proc/signals.h
struct Vcpu;          // sched/scheduler.h
class Tty;            // fs/tty/tty.h

/// The program's registers, at a fixed place at the top of the task's kernel stack. entry.S knows
/// the order.
struct UserFrame {
  std::uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
  std::uint64_t orig_rax;  // syscall number, ~0: not a syscall
  std::uint64_t rip, rflags, rsp;
};

/// set_mempolicy(2).
struct MemoryPolicy {
  std::uint32_t mode = 0;  // MPOL_* with its flags
  std::uint64_t nodes = 0;
};

enum class TaskState : std::uint32_t { Running, Runnable, Sleeping, Dead };

struct SleepTimer {  // wakes its task
  Timer timer;
  Task* task = nullptr;
  std::atomic<bool> armed{false};  // until the expiry is through with the task
};

/// What sched_setscheduler(2), setpriority(2) and their kin have said. All threads have one weight.
struct TaskScheduling {
  int policy = 0;  // SCHED_OTHER
  int priority = 0;
  int nice = 0;
  std::uint32_t io_priority = 0;
  bool reset_on_fork = false;
  std::uint64_t timer_slack = 50'000, default_timer_slack = 50'000;  // kept and told only
  std::uint64_t affinity = ~0ULL;
};

/// ITIMER_VIRTUAL, ITIMER_PROF; on the process's CPU time. Deadline 0: disarmed.
struct CpuInterval {
  Nanoseconds deadline = 0, interval = 0;
};

struct ThreadListTag;
using ThreadHook = boost::intrusive::list_base_hook<boost::intrusive::tag<ThreadListTag>>;

struct Task : RefCounted<Task>, ThreadHook {
  Task() = default;
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;
  ~Task();  // frees stack and FPU area; everything else was given up at its exit

  std::int32_t tid = 0;
  Ref<Pid> id;
  Process* process = nullptr;  // holds a count; null: a task of the kernel's own
  Cell* cell = nullptr;        // holds a count: where it can run; null: anywhere
  Credentials credentials;
  FdTable* files = nullptr;  // holds a count, as fs does; null from its exit on
  FsContext* fs = nullptr;
  UserFrame* frame = nullptr;      // of the current entry
  std::uint64_t kernel_stack = 0;  // lowest address
  std::uint64_t fs_base = 0, gs_base = 0;
  std::uint64_t clear_child_tid = 0;
  std::uint64_t set_child_tid = 0;  // where a new task writes its number
  std::int64_t cpu_time = 0;        // nanoseconds, up to `resumed`
  std::int64_t resumed = 0;         // when it got its vCPU last
  std::int64_t system_time = 0;     // of cpu_time (proc/cpu_time.h)
  UserAddress robust_list = 0;      // set_robust_list(2)
  RestartBlock restart;             // of the call that a signal interrupted
  RseqState rseq;
  TaskScheduling scheduling;
  std::array<char, 16> name{};
  MemoryPolicy memory_policy;
  bool in_syscall = false;
  bool releases_vfork = true;  // the first task of a process
  bool in_kernel = true;  // but for system calls: begins, or acts on a signal, or is on its way out
  std::int32_t parent_death_signal = 0;  // PR_SET_PDEATHSIG

  // What follows belongs to sched/ and proc/signals.
  TaskSignals signals;
  std::atomic<bool> exited{false};           // it takes no signal and owns no lock any more
  std::atomic<std::uint32_t> pi_waiters{0};  // of futexes that it owns
  std::atomic<TaskState> state{TaskState::Runnable};
  std::atomic<bool> on_cpu{false};  // its stack and registers are in use
  Vcpu* vcpu = nullptr;             // whose run queue it is on, or ran on last
  std::uint64_t saved_rsp = 0;      // while it does not run
  std::uint64_t kernel_stack_top = 0;
  std::byte* fpu = nullptr;  // XSAVE area; null: never runs user code
  bool idle = false;
  bool holds_kernel_lock = false;
  LockTrace locks;
  SleepTimer sleep_timer;
  boost::intrusive::list_member_hook<> run_hook;
};

enum class ProcessState : std::uint8_t {
  Live,
  Zombie,  // ended, its parent has not waited for it
  Reaped,  // off the tree; only somebody's Ref keeps it
};

struct SiblingTag;
struct GroupTag;
using SiblingHook = boost::intrusive::list_base_hook<boost::intrusive::tag<SiblingTag>>;
using GroupHook = boost::intrusive::list_base_hook<boost::intrusive::tag<GroupTag>>;

struct Session : RefCounted<Session> {
  Ref<Pid> id;
  Tty* terminal = nullptr;   // holds a count (fs/tty/job_control.h); guarded as the next
  std::uint32_t groups = 0;  // guarded by the process table's lock
};

struct ProcessGroup : RefCounted<ProcessGroup> {
  using Members = boost::intrusive::list<Process, boost::intrusive::base_hook<GroupHook>>;
  Ref<Pid> id;
  Ref<Session> session;
  Members members;  // guarded by the process table's lock, zombies included
};

struct Process : RefCounted<Process>, SiblingHook, GroupHook {
  using Children = boost::intrusive::list<Process, boost::intrusive::base_hook<SiblingHook>>;
  using Tasks = boost::intrusive::list<Task, boost::intrusive::base_hook<ThreadHook>>;

  Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  ~Process();

  std::int32_t pid = 0;
  Ref<Pid> id;
  Cell* cell = nullptr;                       // holds a count, null from its exit on
  AddressSpace* mm = nullptr;                 // the cell's
  Rewriter* rewriter = nullptr;               // the cell's
  SignalState* signals = nullptr;             // owned
  std::array<abi::BootRlimit, 16> rlimits{};  // by RLIMIT_* number
  bool no_new_privileges = false;
  bool dumpable = true;
  Ref<ProgramImage> image;                             // what it runs, for /proc
  Nanoseconds start_time = 0;                          // CLOCK_MONOTONIC
  std::int32_t oom_adjust = 0, oom_adjust_lowest = 0;  // -1000..1000
  // Of its last task, for a zombie.
  std::array<char, 16> last_name{};
  Credentials last_credentials;
  bool executed = false;                // a program since the fork: setpgid by the parent is over
  bool child_subreaper = false;         // PR_SET_CHILD_SUBREAPER
  bool undoes_semaphores = false;       // at its end: semop(2) with SEM_UNDO
  bool mm_copied = false;               // by a fork that the first task has to finish
  IntervalTimer* real_timer = nullptr;  // owned
  std::array<CpuInterval, 2> cpu_intervals{};
  PosixTimers timers;
  std::atomic<std::uint32_t> membarrier_registered{0};  // MEMBARRIER_CMD_REGISTER_*
  std::atomic<bool> mm_released{false};                 // by exec or exit: vfork's parent goes on
  WaitQueue mm_released_queue;

  // The family; guarded by the process table's lock.
  Process* parent = nullptr;  // null: the container's init
  Children children;          // zombies included
  Tasks tasks;
  Ref<ProcessGroup> group;
  ProcessState state = ProcessState::Live;
  std::uint8_t stop_report = 0;  // the signal that stopped it, which nobody has waited for
  bool continue_report = false;  // it went on, which nobody has waited for
  std::uint32_t uid = 0;         // real, of a zombie
  std::int32_t exit_signal = 0;  // what its end sends to the parent; 0: nothing
  int wait_status = 0;           // of a zombie, as of waitpid(2)
  int exit_status = 0;           // what it will be
  CpuTime ended_time;            // of tasks that have ended
  CpuTime children_time;         // of children that were waited for, and theirs
  WaitQueue thread_ended;
  WaitQueue child_changed;  // a child ended, stopped or went on
  PollSource ends;          // it ended, it was waited for: who has a pidfd of it is told
};

/// The task that runs on this vCPU. Not null except early in boot.
Task& current();

}  // namespace runhl::kernel
