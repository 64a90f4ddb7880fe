// SPDX-License-Identifier: Apache-2.0
// Tasks on vCPUs. A task leaves its vCPU only in wait() or, with kPendResched set, at the exit to
// user code; there is no kernel preemption.
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
  std::atomic<bool> asleep{false};  // in the host, waiting for the event word
  Task* fpu_owner = nullptr;        // whose FPU state is in the registers

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
/// The rest of a vCPU's life: runs what is runnable, else waits for the host. On the idle stack.
[[noreturn]] void idle_loop();

/// Interrupts whatever runs on `cpu`, or wakes it: from another carrier or cell 0.
void kick(Vcpu& cpu);

}  // namespace runhl::kernel
