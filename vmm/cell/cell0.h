// SPDX-License-Identifier: Apache-2.0
// What becomes of the launcher's child: cell 0.
//
//   launcher (monitor)                         child
//   ------------------                         -----
//   clone ------------------------------------> rseq off, control group, signals, window,
//   uid and gid maps, before_cell_goes          descriptors, limits
//   one byte ---------------------------------> chdir, Landlock, ids, capabilities, PDEATHSIG
//             <---- SetupReport + listener ---- first filter
//                                               launch stub in the window
//
// Where an outer sandbox has the listener already, the report comes without one, and the monitor
// says so to the guest before a second byte lets it begin.
//
// The child is a copy of the monitor until it has jumped: it allocates nothing, takes no lock, and
// makes raw calls only. All it needs is in the plan.
#pragma once

#include <linux/filter.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <span>

#include "cell/vdso.h"
#include "runhl/abi/layout.h"

namespace runhl::vmm::cell {

/// Where the child stands; a failing one says so, and the error names it.
enum class SetupStep : std::uint32_t {
  Done,  // the report carries the listener, if there is one
  Rseq,
  Group,
  Session,
  Signals,
  MapText,
  MapMemory,
  MapHostCallArea,
  MapMonitorArea,
  MapInitrd,
  MapVdso,
  Descriptors,
  Limits,
  Go,
  Directory,
  Landlock,
  Groups,
  Ids,
  Capabilities,
  NoNewPrivs,
  ParentDeath,
  Filter,
};
const char* describe(SetupStep step);

struct SetupReport {
  SetupStep step;
  std::int32_t error;  // errno, 0 with Done
};

struct Cell0Plan {
  // Memory
  std::span<const std::byte> text;  ///< of the kernel image
  std::uint64_t launch_stub = 0, entry = 0, signal_entry = 0, signal_restorer = 0;
  std::byte* host_call_area = nullptr;  ///< moved into the window
  std::uint64_t monitor_area_size = 0;
  std::uint64_t heap_size = 0;
  std::uint64_t initrd_size = 0;
  VdsoMappings vdso;
  // Descriptors
  int kernel_memory = -1, monitor_area = -1, doorbell = -1, monitor_pidfd = -1;
  int initrd = -1;                         ///< -1: there is none
  int cgroup_tasks = -1;                   ///< the same
  int channel = -1, monitor_channel = -1;  ///< the second is the other process's end
  // Identity
  uid_t uid = 0;
  gid_t gid = 0;
  bool drop_groups = true;  ///< false: setgroups is denied in the namespace
  // Limits, ~0: leave
  std::uint64_t max_processes = ~0ULL, max_pending_signals = ~0ULL;
  int landlock_abi = 0;
  // Filters
  std::span<const sock_filter> notify;  ///< none: no listener is wanted
  std::span<const sock_filter> strict, strict_without_listener;
  bool wait_killable = false;
};

/// Makes the calling process, fresh from clone, cell 0. Ends it when a step fails.
[[noreturn]] void become_cell0_after_fork(const Cell0Plan& plan);

// ---- the steps, by file ------------------------------------------------------------------------

/// Of a step: 0, or the errno.
using StepError = int;

// cell0_process.cc: what would disturb the kernel, and who the cell is
StepError unregister_rseq_after_fork();
StepError enter_cgroup_after_fork(const Cell0Plan& plan);
StepError take_signals_after_fork(const Cell0Plan& plan);
StepError limit_resources_after_fork(const Cell0Plan& plan);
StepError restrict_files_after_fork(const Cell0Plan& plan);
StepError take_ids_after_fork(const Cell0Plan& plan);
StepError drop_capabilities_after_fork();

// window.cc
StepError map_text_after_fork(const Cell0Plan& plan);
StepError map_memory_after_fork(const Cell0Plan& plan);
StepError map_host_call_area_after_fork(const Cell0Plan& plan);
StepError map_monitor_area_after_fork(const Cell0Plan& plan);
StepError map_initrd_after_fork(const Cell0Plan& plan);
StepError move_vdso_after_fork(const Cell0Plan& plan);
/// Fills abi::CellLaunch and jumps to the launch stub, which installs `strict`; nothing outside the
/// window survives.
[[noreturn]] void enter_window_after_fork(const Cell0Plan& plan,
                                          std::span<const sock_filter> strict);

}  // namespace runhl::vmm::cell
