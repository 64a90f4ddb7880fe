// SPDX-License-Identifier: Apache-2.0
// Stopping a whole process (job control): every thread parks on its way to user code; the parent is
// told when the last one has.
//
//   stop_process ──► stopped = true ──► each thread: park_while_stopped ──last──► CLD_STOPPED
//   SIGCONT, SIGKILL: resume_stopped ──► stopped = false, all go on     ────────► CLD_CONTINUED
#include "core/linux_signal.h"
#include "proc/parent_notice.h"
#include "proc/process_table.h"
#include "proc/signals.h"

namespace runhl::kernel {

void stop_process(Process& process, int number) {
  SignalState& state = *process.signals;
  const ProcessTable::Guard family;
  const SpinLock::Guard guard(state.lock);
  if (!state.stop_taken || state.killed || state.exiting.load()) {
    return;
  }
  state.stop_signal = number;
  state.stopped.store(true);
  for (Task& task : process.tasks) {
    demand_attention(task);
  }
}

void resume_stopped(Process& process, int number) {
  SignalState& state = *process.signals;
  if (!state.stopped.exchange(false)) {
    return;
  }
  wake_all(state.continued);
  if (number == SIGCONT) {
    process.stop_report = 0;
    process.continue_report = true;
    if (process.parent != nullptr) {
      (void)notify_parent(process, CLD_CONTINUED, SIGCONT);
    }
  }
}

void tell_if_all_parked(Process& process) {
  SignalState& state = *process.signals;
  int number = 0;
  {
    const SpinLock::Guard guard(state.lock);
    if (!state.stopped.load() || state.parked < process.tasks.size() || state.stop_signal == 0) {
      return;
    }
    number = state.stop_signal;
    state.stop_signal = 0;
  }
  process.stop_report = static_cast<std::uint8_t>(number);
  process.continue_report = false;
  if (process.parent != nullptr) {
    (void)notify_parent(process, CLD_STOPPED, number);
  }
}

void park_while_stopped(Task& task) {
  Process& process = *task.process;
  SignalState& state = *process.signals;
  {
    const ProcessTable::Guard family;
    {
      const SpinLock::Guard guard(state.lock);
      ++state.parked;
    }
    tell_if_all_parked(process);
  }
  const auto goes_on = [&state] {
    return !state.stopped.load() || state.exiting.load() || state.survivor.load() != nullptr;
  };
  (void)wait(state.continued, goes_on, kNoDeadline, Interruptible::No);
  const SpinLock::Guard guard(state.lock);
  --state.parked;
}

}  // namespace runhl::kernel
