// SPDX-License-Identifier: Apache-2.0
// Starts cell 0 (cell0.h): makes what the window consists of, clones, maps ids, takes the listener.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>

#include "cell/memory_file.h"
#include "runhl/abi/ring.h"
#include "runhl/base/result.h"
#include "runhl/base/unique_fd.h"
#include "runhl/vmm/kernel_image.h"
#include "runhl/vmm/machine.h"

namespace runhl::vmm::cell {

/// A running, confined cell 0 and the monitor's share of it.
struct LaunchedCell {
  pid_t pid = 0;  ///< host pid; for show, the pidfd is the truth
  UniqueFd pidfd;
  UniqueFd listener;  ///< notifications of reserved calls; none: an outer sandbox has it
  UniqueFd doorbell;
  Mapping host_call_area;
  MonitorArea monitor_area;
};

/// st_mode of the container's streams 0, 1, 2; 0: closed.
using StreamModes = std::array<std::uint32_t, 3>;

/// `spec` changes by its own before_cell_goes alone.
/// Errors name the step and the host's answer; nothing is left behind then. See cell.h.
Result<LaunchedCell> launch(const KernelImage& kernel, const StreamModes& stream_modes,
                            MachineSpec& spec);

/// Kills cell 0 and takes its status; with it all cells are gone.
void end_cell(int pidfd);

}  // namespace runhl::vmm::cell
