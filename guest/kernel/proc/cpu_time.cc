// SPDX-License-Identifier: Apache-2.0
#include "proc/cpu_time.h"

#include <algorithm>

#include "proc/process_table.h"
#include "proc/task.h"

namespace runhl::kernel {

namespace {

Nanoseconds total_of(const Task& task) {
  const bool runs = task.state.load() == TaskState::Running;
  return task.cpu_time + (runs ? monotonic_now() - task.resumed : 0);
}

}  // namespace

CpuTime task_cpu_time(const Task& task) {
  const Nanoseconds total = total_of(task);
  const Nanoseconds system = std::min(task.system_time, total);
  return {total - system, system};
}

CpuTime process_cpu_time(Process& process) {
  const ProcessTable::Guard family;
  CpuTime sum = process.ended_time;
  for (const Task& task : process.tasks) {
    sum += task_cpu_time(task);
  }
  return sum;
}

CpuTime process_children_time(Process& process) {
  const ProcessTable::Guard family;
  return process.children_time;
}

void cpu_time_leave(Process& process, const Task& task) {
  process.ended_time += task_cpu_time(task);
}

SystemTime::SystemTime() : task_(current()), began_(total_of(task_)) {}
SystemTime::~SystemTime() {
  task_.system_time += total_of(task_) - began_;
}

}  // namespace runhl::kernel
