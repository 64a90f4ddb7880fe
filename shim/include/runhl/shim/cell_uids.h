// SPDX-License-Identifier: Apache-2.0
// Host uids for cells: each running container has one that nobody else uses, so that RLIMIT_NPROC
// bounds its forks and no signal or ptrace right leads to another's cells.
//
//   CellUid cell = TRY(claim_cell_uid(sys, proc_fd, {}));
//   spec.cell_identity = cell.identity;    // keep `cell.lock` open for as long as the monitor
//   lives
//
// A claim is a lock on one byte of one file; the host releases it with the monitor's death. The
// file does not lie in a state root, since engines use several.
#pragma once

#include <cstdint>
#include <string>

#include "runhl/base/result.h"
#include "runhl/base/sys.h"
#include "runhl/base/unique_fd.h"
#include "runhl/vmm/machine.h"

namespace runhl::shim {

struct CellUidOptions {
  std::uint32_t first = 0x7000'0000;  ///< far from what accounts and subordinate ranges use
  std::uint32_t count = 65'536;
  std::string lock_file = "/run/runhl.uids";
};

struct CellUid {
  vmm::CellIdentity identity;
  UniqueFd lock;  ///< none when the identity is not its own
};

/// One open and one lock in the common case. Where the range cannot be used (an unprivileged
/// caller, a user namespace that does not map it) the caller's own ids are the identity.
/// @param proc a directory descriptor of the host's /proc
/// Errors: Io (all of the range is taken), Permission (the lock file).
Result<CellUid> claim_cell_uid(Sys& sys, int proc, const CellUidOptions& options);

}  // namespace runhl::shim
