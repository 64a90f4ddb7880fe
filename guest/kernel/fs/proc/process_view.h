// SPDX-License-Identifier: Apache-2.0
// What /proc asks of the processes there are.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "core/result.h"
#include "fs/pseudo/table_node.h"
#include "fs/pseudo/text_writer.h"
#include "proc/task.h"

namespace runhl::kernel {

struct ProcessCounts {
  std::uint32_t tasks = 0, running = 0;
  std::int32_t last_pid = 0;
};
ProcessCounts process_counts();

/// One number a line, ascending: what cgroup.procs and cgroup.threads hold.
void write_process_ids(TextWriter& out);
void write_task_ids(TextWriter& out);

/// The next process (its number is `from` or higher); 0: none.
std::int32_t next_process(std::int32_t from);
/// The next task of a process; 0: none.
std::int32_t next_task(std::int32_t pid, std::int32_t from);
/// The process that a task belongs to; 0: there is no such task.
std::int32_t process_of(std::int32_t tid);

/// Whom a row of /proc/PID or /proc/PID/task/TID is about. `task` is null for a zombie.
struct ProcessTarget {
  Ref<Process> process;
  Ref<Task> task;
};
/// ESRCH: it is gone.
Result<ProcessTarget> find_target(const Subject& subject);

/// Everything that one line of stat or status needs, read at one moment.
struct ProcessStatus {
  std::int32_t pid = 0, tid = 0, parent = 0, group = 0, session = 0;
  std::int32_t terminal = 0, foreground = -1;  // dev_t, group
  std::uint32_t threads = 0;
  char state = 'R';
  std::int32_t exit_signal = 0;
  std::array<char, 17> name{};  // NUL-terminated
  Credentials credentials;
};
Result<ProcessStatus> process_state(const ProcessTarget& target);
std::string_view state_name(char state);

/// As Linux's ptrace_may_access: EACCES unless the caller may look into the process.
Result<void> may_inspect(const ProcessTarget& target);

}  // namespace runhl::kernel
