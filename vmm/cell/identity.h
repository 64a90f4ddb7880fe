// SPDX-License-Identifier: Apache-2.0
// The user namespace of the cells: one id of the host's, under the number kInsideId.
#pragma once

#include <sys/types.h>

#include "runhl/base/result.h"
#include "runhl/vmm/machine.h"

namespace runhl::vmm::cell {

/// Not 0: nothing in a cell may ever gain capabilities by being root.
inline constexpr unsigned kInsideId = 1;

/// Whether the map of `identity` is the one that needs no privilege: the caller's own ids. The
/// namespace then denies setgroups.
bool maps_own_ids(const CellIdentity& identity);

/// Writes the maps of process `pid`, which was cloned into a new user namespace.
/// @param proc_dir the host's /proc. Errors: Permission (the host's policy), naming the file.
Result<void> write_id_maps(int proc_dir, pid_t pid, const CellIdentity& identity);

}  // namespace runhl::vmm::cell
