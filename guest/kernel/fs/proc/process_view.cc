// SPDX-License-Identifier: Apache-2.0
#include "fs/proc/process_view.h"

#include <linux/capability.h>

#include <algorithm>
#include <cstring>

#include "fs/tty/pty.h"
#include "fs/tty/tty.h"
#include "proc/process_table.h"
#include "proc/signals.h"
#include "sched/scheduler.h"

namespace runhl::kernel {
namespace {

/// The first number from `from` on for which `is(pid)`; 0: none.
template <typename F>
std::int32_t next_number(std::int32_t from, F&& is) {
  const ProcessTable::Guard family;
  for (const Pid& id : family->numbers()) {
    if (id.number >= from && is(id)) {
      return id.number;
    }
  }
  return 0;
}

/// st_rdev of a pseudo terminal, as programs see it.
std::uint32_t pts_number(std::uint32_t index) {
  return (kPtsMajor + index / 256) << 8 | index % 256;
}

char state_of(const Process& process, const Task* task) {
  if (process.state != ProcessState::Live || task == nullptr) {
    return 'Z';
  }
  if (process.signals != nullptr && process.signals->stopped.load()) {
    return 'T';
  }
  return task->state.load() == TaskState::Sleeping ? 'S' : 'R';
}

bool same_ids(const Credentials& caller, const Credentials& other) {
  return caller.fsuid == other.uid && caller.fsuid == other.euid && caller.fsuid == other.suid &&
         caller.fsgid == other.gid && caller.fsgid == other.egid && caller.fsgid == other.sgid;
}

}  // namespace

ProcessCounts process_counts() {
  ProcessCounts counts;
  {
    const ProcessTable::Guard family;
    counts.tasks = family->task_count();
    counts.last_pid = family->last_number();
  }
  counts.running = current().idle ? 0 : 1;
  for (std::uint32_t i = 0; i < vcpu_count(); ++i) {
    counts.running += vcpu(i).runnable_count.load(std::memory_order_relaxed);
  }
  return counts;
}

std::int32_t next_process(std::int32_t from) {
  return next_number(from, [](const Pid& id) { return id.process != nullptr; });
}

std::int32_t next_task(std::int32_t pid, std::int32_t from) {
  return next_number(from, [pid](const Pid& id) {
    return id.task != nullptr && id.task->process != nullptr && id.task->process->pid == pid;
  });
}

std::int32_t process_of(std::int32_t tid) {
  const ProcessTable::Guard family;
  const Task* const task = family->find_task(tid);
  return task == nullptr || task->process == nullptr ? 0 : task->process->pid;
}

void write_process_ids(TextWriter& out) {
  for (std::int32_t pid = next_process(1); pid != 0; pid = next_process(pid + 1)) {
    out.add(pid, '\n');
  }
}

void write_task_ids(TextWriter& out) {
  const auto next = [](std::int32_t from) {
    return next_number(from, [](const Pid& id) { return id.task != nullptr; });
  };
  for (std::int32_t tid = next(1); tid != 0; tid = next(tid + 1)) {
    out.add(tid, '\n');
  }
}

Result<ProcessTarget> find_target(const Subject& subject) {
  const ProcessTable::Guard family;
  ProcessTarget target;
  target.process = family->find_process(subject.pid);
  if (target.process == nullptr) {
    return fail(ESRCH);
  }
  if (subject.tid != 0) {
    target.task = family->find_task(subject.tid);
    if (target.task == nullptr || target.task->process != target.process.get()) {
      return fail(ESRCH);
    }
  } else if (!target.process->tasks.empty()) {
    Task* const leader = family->find_task(subject.pid);
    target.task = leader != nullptr ? leader : &target.process->tasks.front();
  }
  return target;
}

Result<ProcessStatus> process_state(const ProcessTarget& target) {
  const Process& process = *target.process;
  const Task* const task = target.task.get();
  ProcessStatus status;
  status.pid = process.pid;
  status.tid = task != nullptr ? task->tid : process.pid;
  const ProcessTable::Guard family;
  status.parent = process.parent != nullptr ? process.parent->pid : 0;
  if (process.group != nullptr) {
    status.group = process.group->id->number;
    status.session = process.group->session->id->number;
    if (const Tty* const tty = process.group->session->terminal) {
      status.terminal = static_cast<std::int32_t>(pts_number(tty->index()));
      status.foreground = tty->foreground.load();
    }
  }
  status.threads = static_cast<std::uint32_t>(process.tasks.size());
  status.state = state_of(process, task);
  status.exit_signal = process.exit_signal;
  const std::array<char, 16>& name = task != nullptr ? task->name : process.last_name;
  std::copy(name.begin(), name.end(), status.name.begin());
  status.credentials = task != nullptr ? task->credentials : process.last_credentials;
  return status;
}

std::string_view state_name(char state) {
  switch (state) {
    case 'R':
      return "running";
    case 'S':
      return "sleeping";
    case 'T':
      return "stopped";
    default:
      return "zombie";
  }
}

Result<void> may_inspect(const ProcessTarget& target) {
  const Task& self = current();
  if (target.process.get() == self.process) {
    return {};
  }
  const Credentials& other =
      target.task != nullptr ? target.task->credentials : target.process->last_credentials;
  const bool subset = (other.permitted & ~self.credentials.permitted) == 0;
  const bool privileged = self.credentials.has(CAP_SYS_PTRACE);
  if (privileged || (same_ids(self.credentials, other) && subset && target.process->dumpable)) {
    return {};
  }
  return fail(EACCES);
}

}  // namespace runhl::kernel
