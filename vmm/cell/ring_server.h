// SPDX-License-Identifier: Apache-2.0
// The monitor's side of the rings: takes entries, posts completions, wakes the guest.
//
// Main thread only. The guest is hostile: entries are copied and checked, the server's indices are
// its own, and one call takes a bounded number of entries.
#pragma once

#include <array>
#include <cstdint>
#include <functional>

#include "cell/host_call_area.h"

namespace runhl::vmm::cell {

/// Bit n-1: signal n.
struct GuestSignals {
  std::uint64_t for_init = 0;
  std::uint64_t for_all = 0;
};

class RingServer {
 public:
  /// @param doorbell borrowed eventfd  @param rings how many are served, <= kMaxVcpus
  RingServer(HostCallArea area, int doorbell, std::uint32_t rings);

  /// A checked entry: op known, stream < 3, bounce < kRequestSlotCount, length <= kBounceSize.
  using Handler = std::function<void(std::uint32_t ring, const abi::RingEntry& entry)>;

  /// The doorbell rang: takes what is there, then says that the monitor sleeps. What one call
  /// leaves rings the doorbell again.
  void serve(const Handler& handler);
  /// Makes the loop call serve().
  void ring_doorbell();
  /// The guest is dead: all that it left, and no more doorbell.
  void drain(const Handler& handler);

  /// To be followed by wake_guest(), once for many.
  void complete(std::uint32_t ring, std::uint32_t tag, std::int32_t result);
  void wake_guest();

  /// Sets event bits (and signals), wakes the idle vCPU, and cell 0 to interrupt a running one.
  void raise_event(std::uint32_t events, const GuestSignals& signals = {});

 private:
  bool take(std::uint32_t ring, std::uint32_t limit, const Handler& handler);
  [[nodiscard]] bool anything_submitted() const;

  HostCallArea area_;
  int doorbell_;
  std::uint32_t rings_;
  bool completed_ = false;
  std::array<std::uint32_t, abi::kMaxVcpus> taken_{}, completions_{};
};

}  // namespace runhl::vmm::cell
