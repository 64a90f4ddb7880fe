// SPDX-License-Identifier: Apache-2.0
// Queues of signals. All calls: the caller holds the process's SignalState::lock.
#pragma once

#include "proc/signals.h"

namespace runhl::kernel {

/// EAGAIN: a real-time signal by sigqueue, and RLIMIT_SIGPENDING or memory is exhausted; of others
/// the number alone is then kept.
Result<void> queue_signal(Process& process, SignalQueue& queue, const SignalInfo& info,
                          Origin origin);
/// An entry that somebody owns.
void queue_entry(SignalQueue& queue, QueuedSignal& entry);
/// The first of the next signal to act on in `ready`. False: none is pending.
bool dequeue_signal(SignalState& state, SignalQueue& queue, SignalSet ready, QueuedSignal& out);
/// Without acting on them.
void drop_signals(SignalState& state, SignalQueue& queue, SignalSet which);

}  // namespace runhl::kernel
