// SPDX-License-Identifier: Apache-2.0
// A task's share of signals: its mask, what is sent to it alone, its alternate stack.
#pragma once

#include <array>
#include <atomic>
#include <boost/intrusive/list.hpp>
#include <cstddef>
#include <cstdint>

namespace runhl::kernel {

using SignalSet = std::uint64_t;  // bit n-1: signal n
inline constexpr int kSignalCount = 64;
constexpr SignalSet signal_bit(int number) {
  return 1ULL << (number - 1);
}

struct SignalSender {  // kill, tgkill, sigqueue
  std::int32_t pid;
  std::uint32_t uid;
  std::uint64_t value;
};
struct SignalFault {
  std::uint64_t address;
};
struct SignalChild {  // SIGCHLD
  std::int32_t pid;
  std::uint32_t uid;
  std::int32_t status;
  std::int64_t user_time;  // in clock ticks, like all of the kind
  std::int64_t system_time;
};

struct SignalPoll {   // F_SETSIG
  std::int64_t band;  // POLL*
  std::int32_t fd;
};

/// siginfo_t as programs see it: signo, errno, code, then what the code says. 128 bytes.
struct SignalInfo {
  std::int32_t number = 0;
  std::int32_t error = 0;
  std::int32_t code = 0;
  std::int32_t padding = 0;
  union {
    SignalSender sender;
    SignalFault fault;
    SignalChild child;
    SignalPoll poll;
    std::array<std::uint8_t, 112> bytes;
  };
  SignalInfo() : bytes{} {}
};
static_assert(sizeof(SignalInfo) == 128);

struct PosixTimer;  // proc/posix_timer.h

struct QueuedSignal : boost::intrusive::list_base_hook<> {
  SignalInfo info;
  PosixTimer* timer = nullptr;  // whose entry it is; null: the queue's own
  bool from_host = false;       // by the runtime: KILL and STOP reach even the container's init
};

struct SignalQueue {
  std::atomic<SignalSet> pending{0};  // bits of the entries
  boost::intrusive::list<QueuedSignal, boost::intrusive::constant_time_size<false>> entries;
};

struct AlternateStack {
  std::uint64_t address = 0;
  std::uint64_t size = 0;
  std::int32_t flags = 2;  // SS_DISABLE
};

struct TaskSignals {
  SignalSet blocked = 0;
  SignalSet really_blocked = 0;  // while sigtimedwait unblocks what it waits for
  std::atomic<bool> attention{false};
  SignalSet saved_mask = 0;  // of sigsuspend, put back after the handler's frame is made
  bool restore_mask = false;
  SignalQueue queue;  // guarded by the process's SignalState::lock
  AlternateStack stack;
  // The last fault, for the signal frame.
  std::uint32_t trap = 0, error = 0;
  std::uint64_t fault_address = 0, fault_rip = 0;
  std::uint32_t fault_retries = 0;
};

}  // namespace runhl::kernel
