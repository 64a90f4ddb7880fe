// SPDX-License-Identifier: Apache-2.0
// sched/scheduler.h over std::thread, for the sleep primitive, futexes and timers as they are:
// every thread is a task, and only so many of them run at a time as there are vCPUs.
#include "hosted/scheduler_hosted.h"

#include <chrono>
#include <condition_variable>
#include <ctime>
#include <mutex>
#include <random>

#include "core/parallel.h"
#include "mm/user_map.h"
#include "proc/process_table.h"
#include "proc/program_image.h"
#include "proc/signals.h"
#include "sched/lock_host.h"
#include "sched/scheduler.h"
#include "sched/timers.h"

namespace runhl::kernel {

namespace {

constexpr std::uint32_t kVcpus = 4;

/// What the machine gives to tasks: the states, and the tokens that the vCPUs are.
struct Machine {
  std::mutex lock;
  std::condition_variable changed;
  std::uint32_t free_vcpus = kVcpus;
  Vcpu vcpu;  // pend bits only
};
Machine& machine() {
  static Machine instance;
  return instance;
}

thread_local Task* t_task = nullptr;
thread_local std::mt19937_64 t_random;  // seeded by each task: the choice of where others go on
thread_local LockTrace t_trace_of_none;

void take_vcpu(std::unique_lock<std::mutex>& held) {
  Machine& m = machine();
  m.changed.wait(held, [&m] { return m.free_vcpus != 0; });
  --m.free_vcpus;
}
void give_vcpu() {
  ++machine().free_vcpus;
  machine().changed.notify_all();
}

/// At every lock: sometimes somebody else goes first.
void perhaps_let_others_run() {
  constexpr std::uint64_t kOneIn = 8;
  if (t_random() % kOneIn == 0) {
    std::this_thread::yield();
  }
}

}  // namespace

Task::~Task() = default;
Process::Process() = default;
Process::~Process() = default;

Task& current() {
  return *t_task;
}
Vcpu& this_cpu() {
  return machine().vcpu;
}
std::uint32_t vcpu_count() {
  return kVcpus;
}
Nanoseconds monotonic_now() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000L + now.tv_nsec;
}
bool fatal_signal_pending(const Task& /*task*/) {
  return false;
}
Result<SharedPlace> find_shared_place(UserAddress /*address*/) {
  return SharedPlace{};
}

void wake(Task& task) {
  Machine& m = machine();
  const std::lock_guard guard(m.lock);
  TaskState expected = TaskState::Sleeping;
  if (task.state.compare_exchange_strong(expected, TaskState::Runnable)) {
    m.changed.notify_all();
  }
}

void stay_running(Task& task) {
  const std::lock_guard guard(machine().lock);
  task.state.store(TaskState::Running);
}

void schedule() {
  Machine& m = machine();
  Task& task = current();
  std::unique_lock held(m.lock);
  give_vcpu();
  m.changed.wait(held, [&task] { return task.state.load() != TaskState::Sleeping; });
  take_vcpu(held);
  task.state.store(TaskState::Running);
}

constinit bool g_parallel = true;

namespace lock_host {

void relax() {
  std::this_thread::yield();
}
LockTrace* trace() {
  perhaps_let_others_run();
  return t_task == nullptr ? &t_trace_of_none : &t_task->locks;
}
bool* kernel_lock_flag() {
  return &t_task->holds_kernel_lock;
}
void wait_word(std::uint32_t& word, std::uint32_t expected) {
  if (__atomic_load_n(&word, __ATOMIC_ACQUIRE) == expected) {
    std::this_thread::yield();
  }
}
void wake_word(std::uint32_t&) {}

}  // namespace lock_host

namespace hosted {

void run_tasks(std::uint64_t seed, std::span<const std::function<void()>> bodies) {
  Process process;
  process.mm = reinterpret_cast<AddressSpace*>(&process);  // one memory; only compared
  std::atomic<std::size_t> left{bodies.size()};
  std::vector<std::jthread> threads;
  for (std::size_t i = 0; i < bodies.size(); ++i) {
    threads.emplace_back([&, i] {
      const Ref<Task> task(new Task);
      task->tid = static_cast<std::int32_t>(i + 1);
      task->process = &process;
      task->vcpu = &this_cpu();
      task->state.store(TaskState::Running);
      t_task = task.get();
      t_random.seed(seed * 64 + i);
      {
        std::unique_lock held(machine().lock);
        take_vcpu(held);
      }
      bodies[i]();
      {
        const std::lock_guard guard(machine().lock);
        give_vcpu();
      }
      t_task = nullptr;
      --left;
    });
  }
  while (left.load() != 0) {  // the tick
    timers().expire(monotonic_now());
    std::this_thread::sleep_for(std::chrono::microseconds(20));
  }
}

}  // namespace hosted
}  // namespace runhl::kernel
