// SPDX-License-Identifier: Apache-2.0
#include "proc/thread.h"

#include "core/user_memory.h"
#include "proc/cpu_time.h"
#include "proc/process.h"
#include "proc/process_table.h"
#include "proc/shared_parts.h"
#include "proc/signals.h"
#include "sched/scheduler.h"

namespace runhl::kernel {

namespace {

/// Off the process, unless it is the only one left. Its end may be what somebody waits for.
bool leave_process(Task& task, int wait_status) {
  Process& process = *task.process;
  const ProcessTable::Guard family;
  if (!process.signals->exiting.load()) {
    process.exit_status = wait_status;  // the last one's counts
  }
  if (process.tasks.size() == 1) {
    return false;
  }
  cpu_time_leave(process, task);
  family->remove_task(task);
  tell_if_all_parked(process);
  wake_all(process.thread_ended);
  return true;
}

bool is_alone(const Process& process) {
  const ProcessTable::Guard family;
  return process.tasks.size() == 1;
}

/// Marks the others for their end. True: there are some.
Result<bool> claim_process(Task& task) {
  Process& process = *task.process;
  SignalState& state = *process.signals;
  const ProcessTable::Guard family;
  const SpinLock::Guard guard(state.lock);
  if (state.exiting.load() || state.survivor.load() != nullptr) {
    return fail(EAGAIN);
  }
  if (process.tasks.size() == 1) {
    return false;
  }
  state.survivor.store(&task);
  for (Task& other : process.tasks) {
    if (&other != &task) {
      demand_attention(other);
    }
  }
  return true;
}

}  // namespace

void thread_end(int wait_status) {
  Task& task = current();
  release_memory(task);
  signals_leave(task);
  if (leave_process(task, wait_status)) {
    drop_files(task);
    leave_for_ever();
  }
  process_end(task.process->exit_status);
}

void process_exit(int wait_status) {
  Process& process = *current().process;
  SignalState& state = *process.signals;
  {
    const ProcessTable::Guard family;
    const SpinLock::Guard guard(state.lock);
    if (!state.exiting.exchange(true)) {
      process.exit_status = wait_status;
    }
    for (Task& task : process.tasks) {
      if (&task != &current()) {
        demand_attention(task);
      }
    }
  }
  wake_all(state.continued);  // stopped threads end, too
  if (&process == container_init()) {
    process_end(process.exit_status);  // and with it everything
  }
  thread_end(wait_status);
}

Result<void> end_other_threads() {
  Task& task = current();
  Process& process = *task.process;
  if (TRY(claim_process(task))) {
    wake_all(process.signals->continued);  // stopped threads end, too
    const Result<void> waited = wait(
        process.thread_ended, [&process] { return is_alone(process); }, kNoDeadline,
        Interruptible::Killable);
    process.signals->survivor.store(nullptr);
    TRY(waited);  // killed: the caller does not come to execute anything
  }
  const ProcessTable::Guard family;
  family->take_process_number(task);
  return {};
}

}  // namespace runhl::kernel
