// SPDX-License-Identifier: Apache-2.0
// The `cell` isolation: our guest kernel in seccomp-confined processes (docs/architecture.md).
//
//   auto missing = cell::check_host();                 // names each missing kernel feature
//   auto machine = TRY(cell::create(std::move(spec), embedded_kernel()));
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "runhl/vmm/kernel_image.h"
#include "runhl/vmm/machine.h"

namespace runhl::vmm::cell {

/// What the host offers, found by trying.
struct HostFeatures {
  std::vector<std::string> missing;  ///< without these no cell runs; each with its kernel version
  bool listener = false;  ///< false: an outer sandbox has it; files are copied, not mapped
  bool user_namespace = false;
  bool fsgsbase = false;
  bool wait_killable = false;  ///< SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, 5.19
  bool sync_wake_up = false;   ///< SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP, 6.6
  int landlock_abi = 0;        ///< 0: none
};
HostFeatures check_host();

/// Clones cell 0 into its namespaces; it maps its window, confines itself and waits for boot().
/// The caller is the process whose death ends the guest, still has its capabilities, and has its
/// final euid (the host checks PDEATHSIG with the dying process's credentials).
/// Errors: Unsupported (a host feature is missing; named), Permission (a call is forbidden; named).
Result<std::unique_ptr<Machine>> create(MachineSpec spec, const KernelImage& kernel);

}  // namespace runhl::vmm::cell
