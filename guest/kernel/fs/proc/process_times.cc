// SPDX-License-Identifier: Apache-2.0
// CPU time of processes and tasks.
#include "fs/proc/process_files.h"
#include "proc/process_table.h"

namespace runhl::kernel {
namespace {

/// A task that runs has not been charged for its present turn yet.
Nanoseconds used_by(const Task& task, Nanoseconds now) {
  const bool runs = task.state.load() == TaskState::Running;
  return task.cpu_time + (runs ? now - task.resumed : 0);
}

}  // namespace

/// All of it counts as the program's own: nobody tells apart what the kernel did for it.
CpuTimes cpu_times(const ProcessTarget& target, bool task_only) {
  const Nanoseconds now = monotonic_now();
  CpuTimes times;
  const ProcessTable::Guard family;
  if (task_only) {
    times.user = target.task != nullptr ? used_by(*target.task, now) : 0;
    return times;
  }
  times.user = target.process->cpu_time;
  for (const Task& task : target.process->tasks) {
    times.user += used_by(task, now);
  }
  return times;
}

Nanoseconds children_cpu_time(const ProcessTarget& target) {
  const ProcessTable::Guard family;
  return target.process->children_cpu_time;
}

}  // namespace runhl::kernel
