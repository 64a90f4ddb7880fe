// SPDX-License-Identifier: Apache-2.0
// runc makes a working directory that the rootfs lacks, and engines count on it.
#pragma once

#include "runhl/oci/config.h"

namespace runhl::shim {

/// Makes what is missing of process.cwd in the rootfs, 0755, the caller's. Symlinks of the rootfs
/// stay inside it. Nothing is done below a mount or in a read-only root, and what cannot be made is
/// left to the guest, which says why the directory cannot be entered.
void make_working_directory(const oci::Config& config);

}  // namespace runhl::shim
