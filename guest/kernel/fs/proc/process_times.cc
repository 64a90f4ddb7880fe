// SPDX-License-Identifier: Apache-2.0
// CPU time of processes and tasks.
#include "fs/proc/process_files.h"
#include "proc/cpu_time.h"

namespace runhl::kernel {

CpuTimes cpu_times(const ProcessTarget& target, bool task_only) {
  CpuTime time;
  if (!task_only) {
    time = process_cpu_time(*target.process);
  } else if (target.task != nullptr) {
    time = task_cpu_time(*target.task);
  }
  return {time.user, time.system};
}

CpuTimes children_cpu_times(const ProcessTarget& target) {
  const CpuTime time = process_children_time(*target.process);
  return {time.user, time.system};
}

}  // namespace runhl::kernel
