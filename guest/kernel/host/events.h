// SPDX-License-Identifier: Apache-2.0
// What the monitor tells the guest: completions of ring entries, signals, start.
#pragma once

#include <cstdint>

#include "runhl/abi/boot.h"
#include "runhl/abi/ring.h"
#include "sched/wait.h"

namespace runhl::kernel {

/// The host-call area's header, shared with the monitor.
inline abi::HostCallHeader& host_header() {
  // SAFETY: mapped by the launcher for the life of the cells.
  return *reinterpret_cast<abi::HostCallHeader*>(abi::kHostCallArea + abi::kHeaderOffset);
}
inline const abi::MonitorPage& monitor_page() {
  // SAFETY: mapped read-only by the launcher for the life of the cells.
  return *reinterpret_cast<const abi::MonitorPage*>(abi::kMonitorArea);
}
inline const abi::BootConfig& boot_config() {
  // SAFETY: behind the monitor page, same mapping.
  return *reinterpret_cast<const abi::BootConfig*>(abi::kMonitorArea + abi::kBootConfigOffset);
}
inline const char* boot_string(std::uint32_t offset) {
  return reinterpret_cast<const char*>(&boot_config()) + offset;
}

/// Takes completions and events; cheap when there are none. No lock held; from schedule(), the idle
/// loop and the slow exit.
void host_poll();

/// Waits for kEventStart.
void wait_for_start();

}  // namespace runhl::kernel
