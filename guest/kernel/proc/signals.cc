// SPDX-License-Identifier: Apache-2.0
#include "proc/signals.h"

#include "core/linux_signal.h"
#include "core/panic.h"
#include "proc/process.h"
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

/// Stop and continue cancel each other, whatever becomes of the signal itself.
void cancel_opposite(SignalState& state, Task& task, int number) {
  const SignalSet opposite = number == SIGCONT                    ? kStops
                             : (signal_bit(number) & kStops) != 0 ? signal_bit(SIGCONT)
                                                                  : 0;
  if (opposite != 0) {
    drop_from(state.shared, opposite);
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

Result<void> send(SignalState& state, Task& task, SignalQueue& queue, const SignalInfo& info,
                  Origin origin) {
  bool continues = false;
  {
    const SpinLock::Guard guard(state.lock);
    cancel_opposite(state, task, info.number);
    continues = info.number == SIGCONT || info.number == SIGKILL;
    if (!is_ignored(state, task, info.number, origin)) {
      TRY(enqueue(queue, info, origin));
    }
  }
  if (continues && state.stopped.exchange(false)) {
    wake_all(state.continued);
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

bool signal_pending(const Task& task) {
  if (task.process == nullptr) {
    return false;
  }
  const SignalSet pending =
      task.signals.queue.pending.load() | task.process->signals->shared.pending.load();
  return (pending & ~task.signals.blocked) != 0;
}

Result<void> signal_send(Process& process, const SignalInfo& info, Origin origin) {
  SignalState& state = *process.signals;
  return send(state, *state.main, state.shared, info, origin);
}

Result<void> signal_send_task(Task& task, const SignalInfo& info) {
  return send(*task.process->signals, task, task.signals.queue, info, Origin::Guest);
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
  for (SignalAction& action : own->actions) {
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

bool signal_dequeue(Task& task, QueuedSignal& out) {
  SignalState& state = *task.process->signals;
  const SpinLock::Guard guard(state.lock);
  for (SignalQueue* queue : {&task.signals.queue, &state.shared}) {
    const SignalSet ready = queue->pending.load() & ~task.signals.blocked;
    if (ready == 0) {
      continue;
    }
    const SignalSet first = (ready & kFaults) != 0 ? ready & kFaults : ready;
    take(*queue, __builtin_ctzll(first) + 1, out);
    return true;
  }
  return false;
}

}  // namespace runhl::kernel
