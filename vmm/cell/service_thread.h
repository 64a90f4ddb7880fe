// SPDX-License-Identifier: Apache-2.0
// What threads that serve files have in common: a call of theirs that waits can be interrupted,
// and whoever ends them need not wait for one that cannot.
#pragma once

#include <pthread.h>

#include <chrono>
#include <csignal>

namespace runhl::vmm::cell {

/// Nobody else uses it for anything: cell 0 dies without a signal, and it is never relayed.
inline constexpr int kInterrupt = SIGCHLD;

/// How often a thread that is to end is interrupted: a signal may come before the wait begins.
inline constexpr auto kInterruptEvery = std::chrono::milliseconds(20);
/// A file system that answers no signal holds its thread: the container ends without it.
inline constexpr auto kPatience = std::chrono::milliseconds(200);

inline void block_other_signals() {
  sigset_t set;
  sigfillset(&set);
  sigdelset(&set, kInterrupt);
  (void)::pthread_sigmask(SIG_SETMASK, &set, nullptr);  // cannot fail: the set is sound
}

/// With a handler the signal interrupts a call; by default it would be dropped.
inline void make_interrupting() {
  struct sigaction action{};
  action.sa_handler = [](int) {};
  (void)::sigaction(kInterrupt, &action, nullptr);  // cannot fail: the number is sound
}

/// Ends threads that were told to: false, if one outlasts our patience. `ended(time)` waits for
/// them as long as that, `interrupt()` sends each that is left kInterrupt.
template <typename Ended, typename Interrupt>
bool end_with_patience(Ended&& ended, Interrupt&& interrupt) {
  if (ended(kInterruptEvery)) {
    return true;
  }
  make_interrupting();
  for (auto waited = kInterruptEvery; waited < kPatience; waited += kInterruptEvery) {
    interrupt();
    if (ended(kInterruptEvery)) {
      return true;
    }
  }
  return false;
}

}  // namespace runhl::vmm::cell
