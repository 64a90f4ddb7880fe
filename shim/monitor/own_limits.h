// SPDX-License-Identifier: Apache-2.0
// What config.json's process asks of the host process that stands for it.
#pragma once

#include "runhl/base/result.h"
#include "runhl/oci/config.h"

namespace runhl::shim {

/// oom_score_adj (cells inherit it; a lowering that the host refuses is logged), the umask 0 (the
/// guest has its own), room for descriptors, no core files. Before the jail and before credentials
/// change.
Result<void> apply_own_limits(const oci::Process& process);

/// What the container's first process is to have of us, after apply_own_limits(): its nice value,
/// -20 to 19, and its oom_score_adj, 0 where it cannot be read.
int own_nice_value();
int own_oom_score();

/// The file size limit: the container's writes happen here. Once the guest's memory, a file as
/// well, has its size.
Result<void> limit_file_size(const oci::Process& process);

/// From here on the calling thread and its future ones are to run soon after they were woken: a
/// guest waits for each of their answers. Cells made before are not meant. It has no effect before
/// Linux 6.12.
void prefer_short_slices();

}  // namespace runhl::shim
