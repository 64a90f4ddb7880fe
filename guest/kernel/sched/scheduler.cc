// SPDX-License-Identifier: Apache-2.0
#include "sched/scheduler.h"

#include "arch/x86_64/cpu.h"
#include "arch/x86_64/fpu.h"
#include "arch/x86_64/host_syscall.h"
#include "core/linux_signal.h"
#include "core/panic.h"
#include "host/clock.h"
#include "host/events.h"
#include "mm/heap.h"
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

void enqueue_locked(Vcpu& cpu, Task& task) {
  cpu.runnable.push_back(task);
  cpu.runnable_count.fetch_add(1, std::memory_order_relaxed);
}

Task& pick_next(Vcpu& cpu) {
  const SpinLock::Guard guard(cpu.lock);
  if (cpu.runnable.empty()) {
    return *cpu.idle;
  }
  Task& next = cpu.runnable.front();
  cpu.runnable.pop_front();
  cpu.runnable_count.fetch_sub(1, std::memory_order_relaxed);
  return next;
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

/// FPU registers and segment bases follow the task that runs user code; idle leaves them alone
/// while nobody else could run its owner.
void switch_user_state(Vcpu& cpu, Task& next) {
  if (cpu.fpu_owner == &next || (next.fpu == nullptr && !smp())) {
    return;
  }
  if (cpu.fpu_owner != nullptr) {
    user_state_save(*cpu.fpu_owner);
  }
  cpu.fpu_owner = next.fpu == nullptr ? nullptr : &next;
  if (cpu.fpu_owner != nullptr) {
    user_state_load(next);
  }
}

void switch_to(Vcpu& cpu, Task& previous, Task& next) {
  check_stack(previous);
  while (next.on_cpu.load(std::memory_order_acquire)) {
    cpu::pause();  // another vCPU is still leaving it
  }
  next.state.store(TaskState::Running, std::memory_order_relaxed);
  next.on_cpu.store(true, std::memory_order_relaxed);
  next.vcpu = &cpu;
  cpu.current = &next;
  cpu.left = &previous;
  cpu.carrier.load(std::memory_order_relaxed)->kernel_stack_top = next.kernel_stack_top;
  switch_user_state(cpu, next);
  ++host_header().stats.context_switches;
  runhl_switch_context(&previous.saved_rsp, next.saved_rsp);
  runhl_task_started();
}

}  // namespace

Task::~Task() {
  if (fpu != nullptr) {
    fpu_area_free(fpu);
  }
  if (kernel_stack != 0) {
    heap_free(reinterpret_cast<void*>(kernel_stack), kKernelStackSize);
  }
}

Vcpu& vcpu(std::uint32_t id) {
  return g_vcpus[id];
}
std::uint32_t vcpu_count() {
  return g_vcpu_count;
}
Vcpu& this_cpu() {
  return *this_carrier().vcpu;
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
  carrier.vcpu = &g_vcpus[0];
  g_vcpus[0].carrier.store(&carrier);
  g_vcpus[0].idle->on_cpu.store(true);
  return {};
}

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
  // The frame below the top is 16-byte aligned, so that C++ can be called right below it.
  static_assert(sizeof(UserFrame) % 16 == 8);
  task->kernel_stack_top = task->kernel_stack + kKernelStackSize - 8;
  task->frame =
      new (reinterpret_cast<void*>(task->kernel_stack_top - sizeof(UserFrame))) UserFrame{};
  auto* saved = reinterpret_cast<std::uint64_t*>(task->frame) - 7;  // as runhl_switch_context pops
  saved[0] = saved[1] = saved[2] = saved[3] = saved[5] = 0;         // r15 r14 r13 r12, rbp
  saved[4] = reinterpret_cast<std::uint64_t>(function);             // rbx
  saved[6] = reinterpret_cast<std::uint64_t>(&runhl_task_entry);
  task->saved_rsp = reinterpret_cast<std::uint64_t>(saved);
  task->state.store(TaskState::Sleeping);
  task->vcpu = &this_cpu();
  return task;
}

void wake(Task& task) {
  Vcpu& cpu = *task.vcpu;
  {
    const SpinLock::Guard guard(cpu.lock);
    TaskState expected = TaskState::Sleeping;
    if (!task.state.compare_exchange_strong(expected, TaskState::Runnable)) {
      return;
    }
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
    cpu.runnable.erase(cpu.runnable.iterator_to(task));
    cpu.runnable_count.fetch_sub(1, std::memory_order_relaxed);
  }
  task.state.store(TaskState::Running);
}

void schedule() {
  Vcpu& cpu = this_cpu();
  Task& previous = *cpu.current;
  if (previous.locks.holds_spinlock()) {
    panic("sleep with a spinlock held");
  }
  host_poll();
  Task& next = pick_next(cpu);
  if (&next == &previous) {
    previous.state.store(TaskState::Running, std::memory_order_relaxed);
    return;
  }
  switch_to(cpu, previous, next);
}

void yield() {
  Task& task = current();
  if (this_cpu().runnable_count.load(std::memory_order_relaxed) == 0) {
    return;
  }
  {
    Vcpu& cpu = this_cpu();
    const SpinLock::Guard guard(cpu.lock);
    task.state.store(TaskState::Runnable);
    enqueue_locked(cpu, task);
  }
  schedule();
}

void idle_loop() {
  for (;;) {
    Vcpu& cpu = this_cpu();
    abi::HostCallHeader& header = host_header();
    const std::uint32_t seen = __atomic_load_n(&header.event_word, __ATOMIC_ACQUIRE);
    host_poll();
    timers().expire(monotonic_now());
    if (cpu.runnable_count.load(std::memory_order_relaxed) != 0) {
      schedule();
      continue;
    }
    const Nanoseconds nearest = timers().nearest();
    __kernel_timespec timeout{};
    if (nearest != kNoDeadline) {
      const Nanoseconds now = monotonic_now();
      if (nearest <= now) {
        continue;
      }
      timeout = to_timespec(nearest - now);
    }
    cpu.asleep.store(true);
    (void)host::futex_wait(&header.event_word, seen,
                           nearest == kNoDeadline ? nullptr : &timeout);  // spurious is fine
    cpu.asleep.store(false);
  }
}

void kick(Vcpu& cpu) {
  cpu.raise(kPendHost | kPendSignal);
  abi::HostCallHeader& header = host_header();
  __atomic_fetch_add(&header.event_word, 1, __ATOMIC_SEQ_CST);
  (void)host::futex_wake(&header.event_word, 1);
  if (cpu.asleep.load()) {
    return;
  }
  const Carrier* const carrier = cpu.carrier.load();
  if (carrier != nullptr && carrier->tid.load() != 0) {
    (void)host::tgkill(carrier->cell.load(), carrier->tid.load(), SIGALRM);  // ESRCH: it died
  }
}

}  // namespace runhl::kernel

/// On the new context's side of every switch.
extern "C" void runhl_task_started() {
  using namespace runhl::kernel;
  Vcpu& cpu = this_cpu();
  // Whoever ran before has left its stack. With one vCPU nobody looks; with more, switch_to spins.
  cpu.left->on_cpu.store(false, std::memory_order_release);
  cpu.raise(kPendSignal | kPendTick);
}
