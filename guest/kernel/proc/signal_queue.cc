// SPDX-License-Identifier: Apache-2.0
#include "proc/signal_queue.h"

#include <sys/resource.h>

#include "core/linux_signal.h"
#include "proc/posix_timer.h"

namespace runhl::kernel {

namespace {

constexpr SignalSet kFaults = signal_bit(SIGSEGV) | signal_bit(SIGBUS) | signal_bit(SIGILL) |
                              signal_bit(SIGTRAP) | signal_bit(SIGFPE) | signal_bit(SIGSYS);

bool is_real_time(int number) {
  return number >= kFirstRealTimeSignal;
}

/// Sent by kill(2) or by the kernel: Linux makes an exception from the limit for them.
bool ignores_limit(const SignalInfo& info) {
  return !is_real_time(info.number) && info.code >= 0;
}

/// Deletes what the queue owned; an owner's entry is only let go.
void release(SignalState& state, QueuedSignal* entry) {
  if (entry->timer != nullptr) {
    posix_timer_unqueued(*entry->timer);
    return;
  }
  --state.queued;
  delete entry;
}

}  // namespace

Result<void> queue_signal(Process& process, SignalQueue& queue, const SignalInfo& info,
                          Origin origin) {
  SignalState& state = *process.signals;
  const SignalSet bit = signal_bit(info.number);
  if (!is_real_time(info.number) && (queue.pending.load() & bit) != 0) {
    return {};  // standard signals do not queue
  }
  QueuedSignal* entry = nullptr;
  if (state.queued < process.rlimits[RLIMIT_SIGPENDING].soft || ignores_limit(info)) {
    entry = new (std::nothrow) QueuedSignal;
  }
  if (entry == nullptr) {
    if (is_real_time(info.number) && info.code != SI_USER) {
      return fail(EAGAIN);
    }
    queue.pending.fetch_or(bit);  // it comes, but without what it had to say
    return {};
  }
  entry->info = info;
  entry->from_host = origin == Origin::Host;
  ++state.queued;
  queue.entries.push_back(*entry);
  queue.pending.fetch_or(bit);
  return {};
}

void queue_entry(SignalQueue& queue, QueuedSignal& entry) {
  queue.entries.push_back(entry);
  queue.pending.fetch_or(signal_bit(entry.info.number));
}

namespace {

/// Takes the first entry of `number` off the queue, if it has one; the last one clears the bit.
QueuedSignal* take_entry(SignalQueue& queue, int number) {
  QueuedSignal* taken = nullptr;
  bool more = false;
  for (auto it = queue.entries.begin(); it != queue.entries.end() && !more;) {
    QueuedSignal& entry = *it++;
    if (entry.info.number != number) {
      continue;
    }
    more = taken != nullptr;
    if (!more) {
      taken = &entry;
    }
  }
  if (!more) {
    queue.pending.fetch_and(~signal_bit(number));
  }
  if (taken != nullptr) {
    queue.entries.erase(queue.entries.iterator_to(*taken));
  }
  return taken;
}

}  // namespace

bool dequeue_signal(SignalState& state, SignalQueue& queue, SignalSet ready, QueuedSignal& out) {
  const SignalSet now = ready & queue.pending.load();
  if (now == 0) {
    return false;
  }
  const SignalSet first = (now & kFaults) != 0 ? now & kFaults : now;
  const int number = __builtin_ctzll(first) + 1;
  QueuedSignal* const taken = take_entry(queue, number);
  if (taken != nullptr && taken->timer != nullptr && posix_timer_outdated(*taken->timer)) {
    release(state, taken);
    return dequeue_signal(state, queue, ready, out);
  }
  out.info = SignalInfo{};
  out.info.number = number;  // code SI_USER, sender 0: as Linux, when the queue was full
  out.from_host = false;
  if (taken != nullptr) {
    if (taken->timer != nullptr) {
      posix_timer_delivered(*taken->timer);  // completes what it says
    }
    out.info = taken->info;
    out.from_host = taken->from_host;
    release(state, taken);
  }
  return true;
}

void drop_signals(SignalState& state, SignalQueue& queue, SignalSet which) {
  queue.pending.fetch_and(~which);
  queue.entries.remove_and_dispose_if(
      [which](const QueuedSignal& entry) { return (signal_bit(entry.info.number) & which) != 0; },
      [&state](QueuedSignal* entry) { release(state, entry); });
}

}  // namespace runhl::kernel
