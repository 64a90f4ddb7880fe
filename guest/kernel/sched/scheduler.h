// SPDX-License-Identifier: Apache-2.0
// Tasks on vCPUs. A task leaves its vCPU only in wait() or, with kPendResched set, at the exit to
// user code; there is no kernel preemption.
//
//   task ──schedule()──► another task of the same cell: a switch of stacks
//     │                  none, or one of another cell: the carrier's own context
//     ▼
//   carrier_loop ──hand_over()──► the other cell's carrier runs it; this one waits on its word
//     └─ nothing to run: sleeps in the host with the token, on the event word
#pragma once

#include <array>
#include <atomic>
#include <boost/intrusive/list.hpp>
#include <cstdint>

#include "arch/x86_64/carrier.h"
#include "mm/heap.h"
#include "mm/ref.h"
#include "proc/task.h"
#include "sched/locks.h"

namespace runhl::kernel {

/// Why the exit tail must call the slow path. Set by the owner, by its signal handlers, and by
/// kickers on other vCPUs.
enum Pend : std::uint32_t {
  kPendResched = 1U << 0,  // give the vCPU on
  kPendSignal = 1U << 1,   // look at the task's signals
  kPendHost = 1U << 2,     // the host has news: completions, events, a tick
  kPendTick = 1U << 3,     // re-arm the tick
};

/// The run token, and what belongs to one CPU.
struct Vcpu {
  std::atomic<std::uint32_t> pend{0};  // first: entry.S tests it
  std::uint32_t id = 0;
  Task* current = nullptr;
  Task* idle = nullptr;
  Task* left = nullptr;  // the task that the last switch left
  std::atomic<Carrier*> carrier{nullptr};
  std::atomic<bool> asleep{false};         // in the host, waiting for the event word
  std::atomic<Nanoseconds> idle_time{0};   // of the spells that are over
  std::atomic<Nanoseconds> idle_since{0};  // 0: not asleep
  Nanoseconds vacant_since = 0;            // no task since then; 0: longer, it slept

  SpinLock lock{LockRank::RunQueue};
  using Hook =
      boost::intrusive::member_hook<Task, boost::intrusive::list_member_hook<>, &Task::run_hook>;
  boost::intrusive::list<Task, Hook> runnable;  // guarded by lock
  std::atomic<std::uint32_t> runnable_count{0};

  void raise(std::uint32_t bits) { pend.fetch_or(bits, std::memory_order_seq_cst); }
};

/// Makes the vCPUs; the calling carrier takes vCPU 0 with its idle task as the current one.
/// Errors: ENOMEM.
Result<void> scheduler_init(Carrier& carrier, std::uint32_t vcpu_count);

Vcpu& this_cpu();
Vcpu& vcpu(std::uint32_t id);
std::uint32_t vcpu_count();
/// More than one vCPU at run time: locks must be real.
inline bool smp() {
  return vcpu_count() > 1;
}

/// A task with a kernel stack, which begins in `function` and then leaves to user code.
Result<Ref<Task>> task_create(void (*function)());

/// `task`, whose kernel context is lost, goes on with `function` on its empty stack; runnable.
void task_restart(Task& task, void (*function)());
/// `task`, whose carrier has died, goes on at its saved_rsp, before all others: it may hold locks.
void task_go_on(Task& task);
/// Gives up a task that never ran.
void task_discard(Task& task);
/// Adds the time since it got its vCPU to the current task's.
void task_account(Task& task);

/// Makes a sleeping or new task runnable; nothing if it is neither.
void wake(Task& task);
/// The current task does not sleep after all: takes back its own state and a wake that came
/// already.
void stay_running(Task& task);
/// Hands the vCPU to the next runnable task or to idle. The current task is Sleeping, Dead, or has
/// been put back by yield().
void schedule();
/// Lets other runnable tasks run first.
void yield();
/// The current task has ended: everything else of it was given up.
[[noreturn]] void leave_for_ever();
/// The current task goes on in the cell that it now belongs to.
void migrate();

/// The life of a carrier, on its idle stack: runs tasks of its cell while it has a vCPU.
[[noreturn]] void carrier_loop();
/// Waits until the carrier, which is the caller, is given a vCPU.
void await_vcpu(Carrier& own);
/// `own`, the caller's carrier, gives its vCPU away.
void hand_over(Carrier& own, Carrier& other);

/// The host has news for whatever runs.
void kick_all();
/// Interrupts whatever runs on `cpu`, or wakes it: from another carrier or cell 0.
void kick(Vcpu& cpu);

}  // namespace runhl::kernel
