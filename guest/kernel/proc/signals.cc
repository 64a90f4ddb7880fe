// SPDX-License-Identifier: Apache-2.0
#include "proc/signals.h"

#include <poll.h>

#include "core/linux_signal.h"
#include "core/panic.h"
#include "proc/parent_notice.h"
#include "proc/process.h"
#include "proc/process_table.h"
#include "sched/scheduler.h"

namespace runhl::kernel {

namespace {

constexpr std::uint64_t kDefault = 0;
constexpr std::uint64_t kIgnore = 1;
constexpr SignalSet kUnblockable = signal_bit(SIGKILL) | signal_bit(SIGSTOP);
constexpr SignalSet kStops =
    signal_bit(SIGSTOP) | signal_bit(SIGTSTP) | signal_bit(SIGTTIN) | signal_bit(SIGTTOU);
constexpr SignalSet kFaults = signal_bit(SIGSEGV) | signal_bit(SIGBUS) | signal_bit(SIGILL) |
                              signal_bit(SIGTRAP) | signal_bit(SIGFPE) | signal_bit(SIGSYS);

void drop_from(SignalQueue& queue, SignalSet which) {
  queue.pending.fetch_and(~which);
  queue.entries.remove_and_dispose_if(
      [which](const QueuedSignal& entry) { return (signal_bit(entry.info.number) & which) != 0; },
      [](QueuedSignal* entry) { delete entry; });
}

/// True: sending it would change nothing, so it is not queued. The caller holds state.lock.
bool is_ignored(const SignalState& state, const Task& task, int number, Origin origin) {
  if ((task.signals.blocked & signal_bit(number)) != 0) {
    return false;  // a handler may come before it is unblocked
  }
  const std::uint64_t handler = state.action(number).handler;
  if (handler == kIgnore) {
    return true;
  }
  if (handler != kDefault) {
    return false;
  }
  if (state.unkillable && !(origin == Origin::Host && (signal_bit(number) & kUnblockable) != 0)) {
    return true;
  }
  return default_action(number) == DefaultAction::Ignore;
}

/// Stop and continue cancel each other, whatever becomes of the signal itself. The caller holds the
/// process table's and the state's lock.
void cancel_opposite(Process& process, int number) {
  const SignalSet opposite = number == SIGCONT                    ? kStops
                             : (signal_bit(number) & kStops) != 0 ? signal_bit(SIGCONT)
                                                                  : 0;
  if (number == SIGCONT || number == SIGKILL) {
    process.signals->stop_taken = false;
  }
  if (opposite == 0) {
    return;
  }
  drop_from(process.signals->shared, opposite);
  for (Task& task : process.tasks) {
    drop_from(task.signals.queue, opposite);
  }
}

Result<void> enqueue(SignalQueue& queue, const SignalInfo& info, Origin origin) {
  const SignalSet bit = signal_bit(info.number);
  if (info.number < kFirstRealTimeSignal && (queue.pending.load() & bit) != 0) {
    return {};  // standard signals do not queue
  }
  auto entry = make<QueuedSignal>();
  if (!entry) {
    return fail(EAGAIN);
  }
  (*entry)->info = info;
  (*entry)->from_host = origin == Origin::Host;
  queue.entries.push_back(*entry->release());
  queue.pending.fetch_or(bit);
  return {};
}

/// A stopped process goes on; by SIGCONT its parent hears of it.
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

/// The caller holds the process table's lock; `queue` is the task's or its process's.
Result<void> send(Task& task, SignalQueue& queue, const SignalInfo& info, Origin origin) {
  Process& process = *task.process;
  SignalState& state = *process.signals;
  {
    const SpinLock::Guard guard(state.lock);
    cancel_opposite(process, info.number);
    if (!is_ignored(state, task, info.number, origin)) {
      TRY(enqueue(queue, info, origin));
    }
  }
  wake_all(state.arrival_queue);
  state.arrivals.notify(POLLIN | POLLRDNORM);
  if (info.number == SIGCONT || info.number == SIGKILL) {
    resume_stopped(process, info.number);
  }
  if (signal_pending(task)) {
    task.vcpu->raise(kPendSignal);
    wake(task);
    if (task.vcpu != &this_cpu()) {
      kick(*task.vcpu);
    }
  }
  return {};
}

/// Who takes a signal for the whole process: a thread that does not block it, the first one first.
Task* taker(Process& process, int number) {
  for (Task& task : process.tasks) {
    if ((task.signals.blocked & signal_bit(number)) == 0) {
      return &task;
    }
  }
  return process.tasks.empty() ? nullptr : &process.tasks.front();
}

/// The entry of `number` that came first, taken off the queue.
void take(SignalQueue& queue, int number, QueuedSignal& out) {
  bool more = false;
  Owned<QueuedSignal> taken;
  for (auto it = queue.entries.begin(); it != queue.entries.end();) {
    if (it->info.number != number) {
      ++it;
    } else if (taken == nullptr) {
      taken.reset(&*it);
      it = queue.entries.erase(it);
    } else {
      more = true;
      break;
    }
  }
  if (!more) {
    queue.pending.fetch_and(~signal_bit(number));
  }
  KERNEL_CHECK(taken != nullptr);
  out.info = taken->info;
  out.from_host = taken->from_host;
}

}  // namespace

DefaultAction default_action(int number) {
  switch (number) {
    case SIGCHLD:
    case SIGURG:
    case SIGWINCH:
      return DefaultAction::Ignore;
    case SIGCONT:
      return DefaultAction::Continue;
    case SIGSTOP:
    case SIGTSTP:
    case SIGTTIN:
    case SIGTTOU:
      return DefaultAction::Stop;
    default:
      return DefaultAction::Terminate;
  }
}

SignalAction SignalState::action(int number) const {
  const SpinLock::Guard guard(hands->lock);
  return hands->actions[static_cast<std::size_t>(number - 1)];
}

Result<Owned<SignalState>> signals_create(Ref<SignalHands> hands) {
  if (hands == nullptr) {
    hands = TRY(make_ref<SignalHands>());
  }
  return make<SignalState>(std::move(hands));
}

Result<Ref<SignalHands>> copy_hands(const SignalState& from) {
  Ref<SignalHands> copy = TRY(make_ref<SignalHands>());
  const SpinLock::Guard guard(from.hands->lock);
  copy->actions = from.hands->actions;
  return copy;
}

void reset_actions(SignalHands& hands) {
  const SpinLock::Guard guard(hands.lock);
  hands.actions.fill({});
}

bool signal_pending(const Task& task) {
  if (task.process == nullptr) {
    return false;
  }
  return (signals_waiting(task) & ~task.signals.blocked) != 0;
}

SignalSet signals_waiting(const Task& task) {
  return task.signals.queue.pending.load() | task.process->signals->shared.pending.load();
}

bool fatal_signal_pending(const Task& task) {
  if (task.process == nullptr) {
    return false;
  }
  const SignalState& state = *task.process->signals;
  SignalSet ready =
      (task.signals.queue.pending.load() | state.shared.pending.load()) & ~task.signals.blocked;
  for (; ready != 0; ready &= ready - 1) {
    const int number = __builtin_ctzll(ready) + 1;
    const bool ends = state.action(number).handler == kDefault &&
                      default_action(number) == DefaultAction::Terminate;
    if (number == SIGKILL || (ends && !state.unkillable)) {
      return true;
    }
  }
  return false;
}

Result<void> signal_send_locked(Process& process, const SignalInfo& info, Origin origin) {
  Task* const task = taker(process, info.number);
  // One that has ended takes none; it can still be named until it is waited for.
  return task == nullptr ? Result<void>{} : send(*task, process.signals->shared, info, origin);
}

Result<void> signal_send(Process& process, const SignalInfo& info, Origin origin) {
  const ProcessTable::Guard family;
  return signal_send_locked(process, info, origin);
}

Result<void> signal_send_task_locked(Task& task, const SignalInfo& info) {
  return send(task, task.signals.queue, info, Origin::Guest);
}

Result<void> signal_send_task(Task& task, const SignalInfo& info) {
  const ProcessTable::Guard family;
  return signal_send_task_locked(task, info);
}

void signal_from_host(int number) {
  Process* const init = container_init();
  if (init == nullptr || number < 1 || number > kSignalCount) {
    return;
  }
  SignalInfo info;
  info.number = number;
  info.code = SI_USER;                           // as from outside the pid namespace: pid 0, uid 0
  (void)signal_send(*init, info, Origin::Host);  // out of memory: as lost as on Linux
}

void signal_all_from_host(int number) {
  if (number < 1 || number > kSignalCount) {
    return;
  }
  SignalInfo info;
  info.number = number;
  info.code = SI_USER;
  const ProcessTable::Guard family;
  for (Pid& id : family->numbers()) {
    if (id.process != nullptr) {
      (void)signal_send_locked(*id.process, info, Origin::Host);  // out of memory: as lost
    }
  }
}

SignalInfo fault_info(int number, int code, std::uint64_t address) {
  SignalInfo info;
  info.number = number;
  info.code = code;
  info.fault = {address};
  return info;
}

void force_fault(Task& task, const SignalInfo& info) {
  SignalState& state = *task.process->signals;
  const SignalSet bit = signal_bit(info.number);
  {
    const SpinLock::Guard guard(state.lock);
    const SpinLock::Guard hands_guard(state.hands->lock);
    SignalAction& action = state.hands->actions[static_cast<std::size_t>(info.number - 1)];
    if (action.handler == kIgnore || (task.signals.blocked & bit) != 0) {
      action.handler = kDefault;
      task.signals.blocked &= ~bit;
    }
    if (action.handler == kDefault) {
      state.unkillable = false;
    }
  }
  if (!signal_send_task(task, info)) {
    process_exit(info.number);  // no memory even for this: the program cannot go on
  }
}

void set_blocked(Task& task, SignalSet blocked) {
  task.signals.blocked = blocked & ~kUnblockable;
  if (signal_pending(task)) {
    this_cpu().raise(kPendSignal);
  }
}

Result<void> signals_reset_for_exec(Task& task) {
  SignalState& state = *task.process->signals;
  Ref<SignalHands> own = TRY(copy_hands(state));  // the old ones may be others' too
  for (SignalAction& action : own->actions) {     // not yet anybody else's
    const bool ignored = action.handler == kIgnore;
    action = {};
    action.handler = ignored ? kIgnore : kDefault;
  }
  {
    const SpinLock::Guard guard(state.lock);
    state.hands.swap(own);
  }
  task.signals.stack = {};
  return {};
}

void stop_process(int number) {
  Process& process = *current().process;
  SignalState& state = *process.signals;
  {
    const ProcessTable::Guard family;
    const SpinLock::Guard guard(state.lock);
    if (!state.stop_taken) {
      return;
    }
    state.stopped.store(true);
    process.stop_report = static_cast<std::uint8_t>(number);
    process.continue_report = false;
  }
  {
    const ProcessTable::Guard family;
    if (process.parent != nullptr && state.stopped.load()) {
      (void)notify_parent(process, CLD_STOPPED, number);
    }
  }
  (void)wait(
      state.continued, [&state] { return !state.stopped.load(); }, kNoDeadline, Interruptible::No);
}

bool signal_dequeue(Task& task, QueuedSignal& out) {
  return signal_dequeue_from(task, ~task.signals.blocked, out);
}

bool signal_dequeue_from(Task& task, SignalSet set, QueuedSignal& out) {
  SignalState& state = *task.process->signals;
  const SpinLock::Guard guard(state.lock);
  for (SignalQueue* queue : {&task.signals.queue, &state.shared}) {
    const SignalSet ready = queue->pending.load() & set;
    if (ready == 0) {
      continue;
    }
    const SignalSet first = (ready & kFaults) != 0 ? ready & kFaults : ready;
    take(*queue, __builtin_ctzll(first) + 1, out);
    state.stop_taken = (signal_bit(out.info.number) & kStops) != 0;
    return true;
  }
  return false;
}

}  // namespace runhl::kernel
