// SPDX-License-Identifier: Apache-2.0
#include "host/events.h"

#include <atomic>

#include "host/ring.h"
#include "proc/signals.h"

namespace runhl::kernel {

namespace {

struct StartGate {
  std::atomic<bool> open{false};
  WaitQueue queue;
};
constinit StartGate g_start;

void take_signals(std::uint64_t& word, void (*send)(int number)) {
  std::uint64_t pending = __atomic_exchange_n(&word, 0, __ATOMIC_ACQ_REL);
  while (pending != 0) {
    const int number = __builtin_ctzll(pending) + 1;
    pending &= pending - 1;
    send(number);
  }
}

void take_events(abi::HostCallHeader& header) {
  const std::uint32_t events = __atomic_exchange_n(&header.events, 0, __ATOMIC_ACQ_REL);
  if ((events & abi::kEventStart) != 0) {
    g_start.open.store(true);
    wake_all(g_start.queue);
  }
  if ((events & abi::kEventSignal) != 0) {
    take_signals(header.signals_pending, &signal_from_host);
    take_signals(header.signals_for_all, &signal_all_from_host);
  }
}

}  // namespace

void host_poll() {
  ring_take_completions();
  abi::HostCallHeader& header = host_header();
  if (__atomic_load_n(&header.events, __ATOMIC_ACQUIRE) != 0) {
    take_events(header);
  }
}

void wait_for_start() {
  (void)wait(g_start.queue, [] { return g_start.open.load(); }, kNoDeadline, Interruptible::No);
}

}  // namespace runhl::kernel
