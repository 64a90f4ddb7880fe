// SPDX-License-Identifier: Apache-2.0
// CPU time of threads and processes. The total is exact: the scheduler takes it at each switch. The
// system's share is what trapped calls took; a call at a rewritten site counts as the user's.
#pragma once

#include <cstdint>

#include "sched/wait.h"

namespace runhl::kernel {

struct Process;
struct Task;

struct CpuTime {
  Nanoseconds user = 0, system = 0;
  [[nodiscard]] Nanoseconds total() const { return user + system; }
  CpuTime& operator+=(const CpuTime& other) {
    user += other.user;
    system += other.system;
    return *this;
  }
};

CpuTime task_cpu_time(const Task& task);
/// Of all its threads, those that ended included. Takes the process table's lock.
CpuTime process_cpu_time(Process& process);
/// Of its children that were waited for, and theirs.
CpuTime process_children_time(Process& process);
/// A thread ends: its time stays with the process. Under the process table's lock.
void cpu_time_leave(Process& process, const Task& task);

/// Counts a scope of the running thread as the system's.
class SystemTime {
 public:
  SystemTime();
  ~SystemTime();
  SystemTime(const SystemTime&) = delete;
  SystemTime& operator=(const SystemTime&) = delete;

 private:
  Task& task_;
  Nanoseconds began_;
};

}  // namespace runhl::kernel
