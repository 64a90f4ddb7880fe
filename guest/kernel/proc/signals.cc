// SPDX-License-Identifier: Apache-2.0
#include "proc/signals.h"

#include <poll.h>

#include "core/linux_signal.h"
#include "core/panic.h"
#include "proc/interval_timer.h"
#include "proc/process.h"
#include "proc/signal_queue.h"
#include "sched/scheduler.h"

namespace runhl::kernel {

namespace {

constexpr SignalSet kUnblockable = signal_bit(SIGKILL) | signal_bit(SIGSTOP);
constexpr SignalSet kStops =
    signal_bit(SIGSTOP) | signal_bit(SIGTSTP) | signal_bit(SIGTTIN) | signal_bit(SIGTTOU);

/// True: sending it would change nothing, so it is not queued. `task` is who it is sent to, the
/// first thread for a process.
bool is_ignored(const SignalState& state, const Task& task, int number, Origin origin) {
  if (((task.signals.blocked | task.signals.really_blocked) & signal_bit(number)) != 0) {
    return false;  // a handler may come before it is unblocked
  }
  const std::uint64_t handler = state.action(number).handler;
  if (handler == kIgnoreHandler) {
    return true;
  }
  if (handler != kDefaultHandler) {
    return false;
  }
  if (state.unkillable && !(origin == Origin::Host && (signal_bit(number) & kUnblockable) != 0)) {
    return true;
  }
  return default_action(number) == DefaultAction::Ignore;
}

void drop_everywhere(Process& process, SignalSet which) {
  SignalState& state = *process.signals;
  drop_signals(state, state.shared, which);
  for (Task& task : process.tasks) {
    drop_signals(state, task.signals.queue, which);
  }
}

/// Stop and continue cancel each other, whatever becomes of the signal itself. The caller holds the
/// process table's and the state's lock.
void cancel_opposite(Process& process, int number) {
  if (number == SIGCONT || number == SIGKILL) {
    process.signals->stop_taken = false;
  }
  if (number == SIGCONT) {
    drop_everywhere(process, kStops);
  } else if ((signal_bit(number) & kStops) != 0) {
    drop_everywhere(process, signal_bit(SIGCONT));
  }
}

bool wants(const Task& task, int number) {
  if ((task.signals.blocked & signal_bit(number)) != 0 || task.exited.load()) {
    return false;
  }
  return number == SIGKILL || &task == &current() || !signal_pending(task);
}

/// The thread that is to take a signal for its process: the first one if it wants it, else the next
/// that does. Null: all block it or have something to do already and will see it then.
Task* choose_thread(Process& process, int number) {
  for (Task& task : process.tasks) {
    if (wants(task, number)) {
      return &task;
    }
  }
  return nullptr;
}

/// Of a queued signal: somebody looks at it.
void alert(Process& process, Task* only, int number) {
  if (number == SIGKILL) {
    for (Task& task : process.tasks) {
      demand_attention(task);
    }
    return;
  }
  Task* const target = only == nullptr        ? choose_thread(process, number)
                       : wants(*only, number) ? only
                                              : nullptr;
  if (target != nullptr) {
    demand_attention(*target);
  }
}

void recalculate_attention(Task& task) {
  SignalState& state = *task.process->signals;
  const SignalSet pending = task.signals.queue.pending.load() | state.shared.pending.load();
  task.signals.attention.store((pending & ~task.signals.blocked) != 0 || state.stopped.load() ||
                               state.exiting.load() || state.survivor.load() != nullptr);
}

/// Signals of the process that `task` no longer takes, or never will: to others.
void offer_to_others(Process& process, const Task& task, SignalSet which) {
  which &= process.signals->shared.pending.load();
  while (which != 0) {
    const int number = __builtin_ctzll(which) + 1;
    which &= which - 1;
    for (Task& other : process.tasks) {
      if (&other != &task && wants(other, number)) {
        demand_attention(other);
        break;
      }
    }
  }
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

void reset_actions(SignalHands& hands) {
  const SpinLock::Guard guard(hands.lock);
  hands.actions.fill({});
}

Result<Ref<SignalHands>> copy_hands(const SignalState& from) {
  Ref<SignalHands> copy = TRY(make_ref<SignalHands>());
  const SpinLock::Guard guard(from.hands->lock);
  copy->actions = from.hands->actions;
  return copy;
}

SignalSet signals_waiting(const Task& task) {
  return task.signals.queue.pending.load() | task.process->signals->shared.pending.load();
}

void demand_attention(Task& task) {
  task.signals.attention.store(true);
  Vcpu& cpu = *task.vcpu;
  cpu.raise(kPendSignal);
  wake(task);
  if (&cpu != &this_cpu()) {
    kick(cpu);
  }
}

bool fatal_signal_pending(const Task& task) {
  if (task.process == nullptr || !signal_pending(task)) {
    return false;
  }
  const SignalState& state = *task.process->signals;
  const Task* const survivor = state.survivor.load();
  if (state.exiting.load() || (survivor != nullptr && survivor != &task)) {
    return true;
  }
  SignalSet ready = signals_waiting(task) & ~task.signals.blocked;
  for (; ready != 0; ready &= ready - 1) {
    const int number = __builtin_ctzll(ready) + 1;
    const bool ends = state.action(number).handler == kDefaultHandler &&
                      default_action(number) == DefaultAction::Terminate;
    if (number == SIGKILL || (ends && !state.unkillable)) {
      return true;
    }
  }
  return false;
}

namespace {

/// The caller holds the process table's lock.
Result<void> send(Process& process, Task* only, const SignalInfo& info, Origin origin) {
  SignalState& state = *process.signals;
  if (process.tasks.empty() || state.exiting.load()) {
    return {};  // one that has ended can be named until it is waited for
  }
  {
    const SpinLock::Guard guard(state.lock);
    cancel_opposite(process, info.number);
    const Task& addressee = only != nullptr ? *only : process.tasks.front();
    if (!is_ignored(state, addressee, info.number, origin)) {
      SignalQueue& queue = only != nullptr ? only->signals.queue : state.shared;
      TRY(queue_signal(process, queue, info, origin));
      state.killed |= info.number == SIGKILL;
      alert(process, only, info.number);
    }
  }
  if (info.number == SIGCONT || info.number == SIGKILL) {
    resume_stopped(process, info.number);
  }
  wake_all(state.arrival_queue);
  state.arrivals.notify(POLLIN | POLLRDNORM);
  return {};
}

}  // namespace

Result<void> signal_send_locked(Process& process, const SignalInfo& info, Origin origin) {
  return send(process, nullptr, info, origin);
}

Result<void> signal_send_task_locked(Task& task, const SignalInfo& info) {
  return send(*task.process, &task, info, Origin::Guest);
}

bool signal_send_entry(Process& process, Task* only, QueuedSignal& entry) {
  SignalState& state = *process.signals;
  const ProcessTable::Guard family;
  if (process.tasks.empty() || state.exiting.load() || (only != nullptr && only->exited.load())) {
    return false;
  }
  {
    const SpinLock::Guard guard(state.lock);
    const Task& addressee = only != nullptr ? *only : process.tasks.front();
    if (is_ignored(state, addressee, entry.info.number, Origin::Guest)) {
      return false;
    }
    queue_entry(only != nullptr ? only->signals.queue : state.shared, entry);
    alert(process, only, entry.info.number);
  }
  wake_all(state.arrival_queue);
  state.arrivals.notify(POLLIN | POLLRDNORM);
  return true;
}

Result<void> signal_send(Process& process, const SignalInfo& info, Origin origin) {
  const ProcessTable::Guard family;
  return signal_send_locked(process, info, origin);
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
    if (action.handler == kIgnoreHandler || (task.signals.blocked & bit) != 0) {
      action.handler = kDefaultHandler;
      task.signals.blocked &= ~bit;
    }
    if (action.handler == kDefaultHandler) {
      state.unkillable = false;
    }
  }
  if (!signal_send_task(task, info)) {
    process_exit(info.number);  // no memory even for this: the program cannot go on
  }
}

void set_blocked(Task& task, SignalSet blocked) {
  blocked &= ~kUnblockable;
  Process& process = *task.process;
  const SignalSet added = blocked & ~task.signals.blocked;
  if ((added & process.signals->shared.pending.load()) != 0) {
    const ProcessTable::Guard family;
    const SpinLock::Guard guard(process.signals->lock);
    task.signals.blocked = blocked;
    offer_to_others(process, task, added);
    recalculate_attention(task);
  } else {
    const SpinLock::Guard guard(process.signals->lock);
    task.signals.blocked = blocked;
    recalculate_attention(task);
  }
  if (signal_pending(task)) {
    this_cpu().raise(kPendSignal);
  }
}

Result<void> signals_reset_for_exec(Task& task) {
  SignalState& state = *task.process->signals;
  Ref<SignalHands> own = TRY(copy_hands(state));  // the old ones may be others' too
  for (SignalAction& action : own->actions) {
    const bool ignored = action.handler == kIgnoreHandler;
    action = {};
    action.handler = ignored ? kIgnoreHandler : kDefaultHandler;
  }
  {
    const SpinLock::Guard guard(state.lock);
    state.hands.swap(own);
  }
  task.signals.stack = {};
  task.restart = {};
  return {};
}

void signals_inherit(Task& child, const Task& creator) {
  child.signals.blocked = creator.signals.blocked;
}

void signals_leave(Task& task) {
  Process& process = *task.process;
  const ProcessTable::Guard family;
  const SpinLock::Guard guard(process.signals->lock);
  task.exited.store(true);
  drop_signals(*process.signals, task.signals.queue, ~SignalSet{0});
  offer_to_others(process, task, ~task.signals.blocked);
}

void signal_discard(Process& process, int number) {
  const ProcessTable::Guard family;
  const SpinLock::Guard guard(process.signals->lock);
  drop_everywhere(process, signal_bit(number));
}

bool signal_dequeue_from(Task& task, SignalSet wanted, QueuedSignal& out) {
  SignalState& state = *task.process->signals;
  const SpinLock::Guard guard(state.lock);
  bool taken = dequeue_signal(state, task.signals.queue, wanted, out);
  if (!taken) {
    taken = dequeue_signal(state, state.shared, wanted, out);
    if (taken && out.info.number == SIGALRM) {
      interval_timer_go_on(*task.process);
    }
  }
  if (taken) {
    state.stop_taken = (signal_bit(out.info.number) & kStops) != 0;
  }
  recalculate_attention(task);
  return taken;
}

bool signal_dequeue(Task& task, QueuedSignal& out) {
  return signal_dequeue_from(task, ~task.signals.blocked, out);
}

}  // namespace runhl::kernel
