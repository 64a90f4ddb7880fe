// SPDX-License-Identifier: Apache-2.0
// Cells that the host killed (out of memory) or somebody outside did. Their processes end by
// SIGKILL, in the kernel's usual way: each gets an empty cell to end in, since its tasks may be
// anywhere in the kernel and hold its locks. What they touch of their lost memory faults.
//
// That is done in the cell of the container's init. It takes a while and memory of the host, which
// may kill again for that; of init's cell the death is the container's, so nothing is left halfway.
#pragma once

#include "arch/x86_64/carrier.h"

namespace runhl::kernel {

/// In cell 0: the kernel is to bury the cell of a carrier whose `died` is set, which has no vCPU
/// (any more).
void note_dead_carrier();

/// Buries what was noted, if this is the cell for it; cheap when there is nothing. No lock held.
void bury_dead_cells();

/// The carrier that `own` leaves its vCPU to because there is something to bury; null: none, or
/// that one runs already.
Carrier* undertaker_for(const Carrier& own);

}  // namespace runhl::kernel
