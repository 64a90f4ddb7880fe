// SPDX-License-Identifier: Apache-2.0
#include "sched/scheduler.h"

#include "arch/x86_64/cpu.h"
#include "arch/x86_64/fpu.h"
#include "arch/x86_64/host_syscall.h"
#include "core/linux_signal.h"
#include "core/panic.h"
#include "core/parallel.h"
#include "fs/async_notice.h"
#include "host/cell0.h"
#include "host/clock.h"
#include "host/events.h"
#include "mm/heap.h"
#include "proc/cell.h"
#include "proc/cell_death.h"
#include "proc/process.h"
#include "sched/tick.h"
#include "sched/timers.h"

extern "C" {
void runhl_switch_context(std::uint64_t* save, std::uint64_t resume);
void runhl_task_entry();
void runhl_task_started();
}

namespace runhl::kernel {

namespace {

constexpr std::size_t kKernelStackSize = 32 * kKiB;
constexpr std::uint64_t kStackCanary = 0x6b63'6174'736c'6e6b;  // lowest word of a kernel stack

// Written once, by scheduler_init.
constinit Vcpu* g_vcpus = nullptr;
constinit std::uint32_t g_vcpu_count = 0;

std::uint32_t* word_of(Carrier& carrier) {
  static_assert(sizeof(carrier.word) == sizeof(std::uint32_t));
  // SAFETY: a lock-free atomic is its value.
  return reinterpret_cast<std::uint32_t*>(&carrier.word);
}

/// Under the queue's lock; others only look.
void count_runnable(Vcpu& cpu) {
  cpu.runnable_count.store(static_cast<std::uint32_t>(cpu.runnable.size()),
                           std::memory_order_relaxed);
}

void enqueue_locked(Vcpu& cpu, Task& task) {
  cpu.runnable.push_back(task);
  count_runnable(cpu);
}

void enqueue_first(Vcpu& cpu, Task& task) {
  const SpinLock::Guard guard(cpu.lock);
  task.state.store(TaskState::Runnable);
  cpu.runnable.push_front(task);
  count_runnable(cpu);
}

void dequeue_locked(Vcpu& cpu, Task& task) {
  cpu.runnable.erase(cpu.runnable.iterator_to(task));
  count_runnable(cpu);
}

/// What a carrier does next: a task of its own cell, off the queue, or a cell whose carrier takes
/// over, or neither.
struct Choice {
  Task* here = nullptr;
  Carrier* elsewhere = nullptr;
};

Choice choose(Vcpu& cpu, const Carrier& own) {
  if (Carrier* const undertaker = undertaker_for(own)) [[unlikely]] {
    return {.here = nullptr, .elsewhere = undertaker};
  }
  const SpinLock::Guard guard(cpu.lock);
  for (Task& task : cpu.runnable) {
    const Cell* const cell = task.cell;
    if (cell == nullptr || cell == own.home) {
      dequeue_locked(cpu, task);
      return {.here = &task, .elsewhere = nullptr};
    }
    if (cell->carrier->vcpu.load() == nullptr) {
      return {.here = nullptr, .elsewhere = cell->carrier};
    }
  }
  return {};
}

void check_stack(const Task& task) {
  if (task.kernel_stack == 0) {
    return;
  }
  // SAFETY: kernel_stack is the lowest address of a live stack.
  if (*reinterpret_cast<const std::uint64_t*>(task.kernel_stack) != kStackCanary) {
    panic("kernel stack overflow");
  }
}

/// FPU registers and segment bases follow the tasks that run user code on a carrier. While others
/// of its cell do not, they stay where they are, whatever the vCPU does meanwhile.
void switch_user_state(Carrier& carrier, Task& next) {
  if (carrier.fpu_owner == &next || next.fpu == nullptr) {
    return;
  }
  if (carrier.fpu_owner != nullptr) {
    user_state_save(*carrier.fpu_owner);
  }
  carrier.fpu_owner = &next;
  user_state_load(next);
}

/// Whoever ran before has left its stack. On the side of the one who comes.
void settle_left(Vcpu& cpu) {
  Task* const left = cpu.left;
  cpu.left = nullptr;
  if (left == nullptr) {
    return;
  }
  left->on_cpu.store(false, std::memory_order_release);
  if (left->state.load(std::memory_order_relaxed) == TaskState::Dead) {
    intrusive_ptr_release(left);  // the scheduler's count, which task_create gave
  }
}

/// Makes `next` current; the caller then switches to its stack.
void enter(Vcpu& cpu, Task& next) {
  while (next.on_cpu.load(std::memory_order_acquire)) {
    cpu::pause();  // another vCPU is still leaving it
  }
  Carrier& carrier = this_carrier();
  next.state.store(TaskState::Running, std::memory_order_relaxed);
  next.on_cpu.store(true, std::memory_order_relaxed);
  next.vcpu = &cpu;
  next.rseq.interrupted = true;
  cpu.left = cpu.current;
  if (!cpu.current->idle) {
    task_account(*cpu.current);
    next.resumed = cpu.current->resumed;
  } else {
    next.resumed = cpu.vacant_since != 0 ? cpu.vacant_since : monotonic_now();
  }
  cpu.current = &next;
  carrier.kernel_stack_top = next.kernel_stack_top;
  switch_user_state(carrier, next);
  ++host_header().stats.context_switches;
}

void switch_to(Vcpu& cpu, Task& previous, Task& next) {
  check_stack(previous);
  enter(cpu, next);
  runhl_switch_context(&previous.saved_rsp, next.saved_rsp);
  runhl_task_started();
}

/// From a task to the carrier's own context, which gives the vCPU to `elsewhere` if it is one;
/// returns when some carrier of the task's cell runs it again.
void switch_to_loop(Vcpu& cpu, Task& previous, Carrier* elsewhere) {
  check_stack(previous);
  this_carrier().chosen = elsewhere;
  task_account(previous);
  cpu.vacant_since = previous.resumed;
  cpu.left = &previous;
  cpu.current = cpu.idle;
  runhl_switch_context(&previous.saved_rsp, this_carrier().idle_rsp);
  runhl_task_started();
}

/// Nothing to run: sleeps with the token until the host has news or a timer is due.
void sleep_in_host(Vcpu& cpu, std::uint32_t seen) {
  const Nanoseconds nearest = timers().nearest();
  __kernel_timespec timeout{};
  if (nearest != kNoDeadline) {
    const Nanoseconds now = monotonic_now();
    if (nearest <= now) {
      return;
    }
    timeout = to_timespec(nearest - now);
  }
  const Nanoseconds since = monotonic_now();
  cpu.vacant_since = 0;
  cpu.idle_since.store(since, std::memory_order_relaxed);
  cpu.asleep.store(true);
  (void)host::futex_wait(&host_header().event_word, seen,
                         nearest == kNoDeadline ? nullptr : &timeout);  // spurious is fine
  cpu.asleep.store(false);
  cpu.idle_since.store(0, std::memory_order_relaxed);
  cpu.idle_time.fetch_add(monotonic_now() - since, std::memory_order_relaxed);
}

void run_vcpu(Vcpu& cpu, Carrier& own) {
  settle_left(cpu);
  if (own.end_ordered.load() && own.home != nullptr) {
    intrusive_ptr_release(std::exchange(own.home, nullptr));  // no task is left in it
  }
  // The host was asked, and the queue looked at, right before the task left; the other carrier does
  // the rest. Several vCPUs choose anew: one of them may have been quicker.
  if (Carrier* const chosen = std::exchange(own.chosen, nullptr);
      chosen != nullptr && !parallel()) {
    hand_over(own, *chosen);
    return;
  }
  const std::uint32_t seen = __atomic_load_n(&host_header().event_word, __ATOMIC_ACQUIRE);
  host_poll();
  fire_due_timers();
  bury_dead_cells();
  send_async_notices();
  const Choice choice = choose(cpu, own);
  if (choice.here != nullptr) {
    enter(cpu, *choice.here);
    runhl_switch_context(&own.idle_rsp, choice.here->saved_rsp);
  } else if (choice.elsewhere != nullptr) {
    hand_over(own, *choice.elsewhere);
  } else if (own.end_ordered.load()) {
    hand_over(own, *container_init()->cell->carrier);  // somebody has to wait for the host
  } else {
    sleep_in_host(cpu, seen);
  }
}

}  // namespace

Task::~Task() {
  if (fpu != nullptr) {
    fpu_area_free(fpu);
  }
  if (kernel_stack != 0) {
    heap_free(reinterpret_cast<void*>(kernel_stack), kKernelStackSize);
  }
  if (cell != nullptr) {
    intrusive_ptr_release(cell);
  }
  if (process != nullptr) {
    intrusive_ptr_release(process);
  }
}

Vcpu& vcpu(std::uint32_t id) {
  return g_vcpus[id];
}
std::uint32_t vcpu_count() {
  return g_vcpu_count;
}
Vcpu& this_cpu() {
  return *this_carrier().vcpu.load();
}
Task& current() {
  return *this_cpu().current;
}

Result<void> scheduler_init(Carrier& carrier, std::uint32_t count) {
  g_vcpus = new (std::nothrow) Vcpu[count];
  if (g_vcpus == nullptr) {
    return fail(ENOMEM);
  }
  for (std::uint32_t id = 0; id < count; ++id) {
    Ref<Task> idle = TRY(make_ref<Task>());
    idle->idle = true;
    idle->name = {'i', 'd', 'l', 'e'};
    g_vcpus[id].id = id;
    g_vcpus[id].idle = idle.detach();
    g_vcpus[id].current = g_vcpus[id].idle;
  }
  g_vcpu_count = count;
  g_parallel = count > 1;
  carrier.vcpu.store(&g_vcpus[0]);
  g_vcpus[0].carrier.store(&carrier);
  g_vcpus[0].idle->on_cpu.store(true);
  return {};
}

namespace {

/// A context that begins in `function` and then leaves to user code.
void prepare_stack(Task& task, void (*function)()) {
  // The frame below the top is 16-byte aligned, so that C++ can be called right below it.
  static_assert(sizeof(UserFrame) % 16 == 8);
  task.kernel_stack_top = task.kernel_stack + kKernelStackSize - 8;
  task.frame = new (reinterpret_cast<void*>(task.kernel_stack_top - sizeof(UserFrame))) UserFrame{};
  auto* saved = reinterpret_cast<std::uint64_t*>(task.frame) - 7;  // as runhl_switch_context pops
  saved[0] = saved[1] = saved[2] = saved[3] = saved[5] = 0;        // r15 r14 r13 r12, rbp
  saved[4] = reinterpret_cast<std::uint64_t>(function);            // rbx
  saved[6] = reinterpret_cast<std::uint64_t>(&runhl_task_entry);
  task.saved_rsp = reinterpret_cast<std::uint64_t>(saved);
}

}  // namespace

Result<Ref<Task>> task_create(void (*function)()) {
  Ref<Task> task = TRY(make_ref<Task>());
  void* const stack = heap_allocate(kKernelStackSize);
  if (stack == nullptr) {
    return fail(ENOMEM);
  }
  task->kernel_stack = reinterpret_cast<std::uint64_t>(stack);
  task->fpu = fpu_area_create();
  if (task->fpu == nullptr) {
    return fail(ENOMEM);
  }
  // SAFETY: the stack is ours and page-aligned; its lowest word is never reached by good code.
  *reinterpret_cast<std::uint64_t*>(stack) = kStackCanary;
  prepare_stack(*task, function);
  task->state.store(TaskState::Sleeping);
  task->vcpu = &this_cpu();
  intrusive_ptr_add_ref(task.get());  // the scheduler's, until it is dead
  return task;
}

void task_restart(Task& task, void (*function)()) {
  prepare_stack(task, function);
  task.in_kernel = true;
  task.on_cpu.store(false);
  task.state.store(TaskState::Sleeping);
  wake(task);
}

void task_go_on(Task& task) {
  task.on_cpu.store(false);
  enqueue_first(*task.vcpu, task);
}

void task_discard(Task& task) {
  intrusive_ptr_release(&task);
}

void task_account(Task& task) {
  const Nanoseconds now = monotonic_now();
  task.cpu_time += now - task.resumed;
  task.resumed = now;
}

void wake(Task& task) {
  Vcpu& cpu = *task.vcpu;
  {
    const SpinLock::Guard guard(cpu.lock);
    // Only under this lock does a sleeping task become anything else.
    if (task.state.load(std::memory_order_acquire) != TaskState::Sleeping) {
      return;
    }
    task.state.store(TaskState::Runnable, std::memory_order_relaxed);
    enqueue_locked(cpu, task);
  }
  if (&cpu != &this_cpu()) {
    kick(cpu);
  } else if (!cpu.current->idle && cpu.current != &task) {
    cpu.raise(kPendTick);
  }
}

void stay_running(Task& task) {
  Vcpu& cpu = *task.vcpu;
  const SpinLock::Guard guard(cpu.lock);
  if (task.run_hook.is_linked()) {
    dequeue_locked(cpu, task);
  }
  task.state.store(TaskState::Running, std::memory_order_relaxed);
}

void schedule() {
  Vcpu& cpu = this_cpu();
  Task& previous = *cpu.current;
  if (previous.locks.holds_spinlock()) {
    panic("sleep with a spinlock held");
  }
  host_poll();
  const Choice choice = choose(cpu, this_carrier());
  if (choice.here == &previous) {
    previous.state.store(TaskState::Running, std::memory_order_relaxed);
  } else if (choice.here != nullptr) {
    switch_to(cpu, previous, *choice.here);
  } else {
    switch_to_loop(cpu, previous, choice.elsewhere);
  }
}

void yield() {
  if (this_cpu().runnable_count.load(std::memory_order_relaxed) == 0) {
    return;
  }
  {
    Task& task = current();
    Vcpu& cpu = this_cpu();
    const SpinLock::Guard guard(cpu.lock);
    task.state.store(TaskState::Runnable);
    enqueue_locked(cpu, task);
  }
  schedule();
}

void migrate() {
  enqueue_first(this_cpu(), current());
  schedule();
}

void leave_for_ever() {
  Task& task = current();
  Carrier& carrier = this_carrier();
  if (carrier.fpu_owner == &task) {
    carrier.fpu_owner = nullptr;
  }
  if (task.cell != nullptr) {
    cell_end_if_empty(*task.cell);
  }
  task.state.store(TaskState::Dead);
  schedule();
  panic("a dead task runs");
}

void await_vcpu(Carrier& own) {
  while (own.vcpu.load() == nullptr) {
    const std::uint32_t seen = own.word.load();
    own.waits.store(true);  // and then looks; who gives it does it the other way round
    if (own.vcpu.load() == nullptr) {
      (void)host::futex_wait(word_of(own), seen, nullptr);  // EINTR, EAGAIN: look again
    }
    own.waits.store(false, std::memory_order_relaxed);
  }
  own.awake.store(true, std::memory_order_release);
}

void hand_over(Carrier& own, Carrier& other) {
  Vcpu& cpu = *own.vcpu.load();
  // In this order for cell 0, which looks when one of the two has died.
  own.awake.store(false, std::memory_order_release);
  own.vcpu.store(nullptr, std::memory_order_release);
  cpu.carrier.store(&other, std::memory_order_release);
  other.vcpu.store(&cpu);  // from here on the vCPU is the other's; and before `died` is read
  if (other.died.load()) {
    cell0_wake();  // it was killed and nobody waits there: cell 0 takes the vCPU back
    return;
  }
  other.word.fetch_add(1);
  // One that was preempted on its way to sleep, by this carrier as a rule, finds the vCPU itself.
  if (other.waits.load()) {
    (void)host::futex_wake(word_of(other), 1);
  }
}

void carrier_loop() {
  Carrier& own = this_carrier();
  for (;;) {
    if (Vcpu* const cpu = own.vcpu.load()) {
      run_vcpu(*cpu, own);
      continue;
    }
    if (own.end_ordered.load()) {
      host::exit_group(0);
    }
    await_vcpu(own);
  }
}

void kick_all() {
  for (std::uint32_t id = 0; id < vcpu_count(); ++id) {
    kick(vcpu(id));
  }
}

void kick(Vcpu& cpu) {
  cpu.raise(kPendHost | kPendSignal);
  abi::HostCallHeader& header = host_header();
  __atomic_fetch_add(&header.event_word, 1, __ATOMIC_SEQ_CST);
  (void)host::futex_wake(&header.event_word, vcpu_count());  // all idle ones sleep on this word
  if (cpu.asleep.load()) {
    return;
  }
  const Carrier* const carrier = cpu.carrier.load();
  // One that has not adopted its slot yet finds `pend` when it runs.
  if (carrier != nullptr && carrier->adopted.load() && carrier->tid.load() != 0) {
    (void)host::tgkill(carrier->cell.load(), carrier->tid.load(), SIGALRM);  // ESRCH: it died
  }
}

}  // namespace runhl::kernel

/// On the new context's side of every switch.
extern "C" void runhl_task_started() {
  using namespace runhl::kernel;
  Vcpu& cpu = this_cpu();
  settle_left(cpu);
  cpu.raise(kPendSignal | kPendTick);
}
