// SPDX-License-Identifier: Apache-2.0
// The container's mounts, in the order of config.json.
#pragma once

#include "core/result.h"
#include "fs/mount.h"
#include "proc/exec.h"
#include "runhl/abi/boot.h"

namespace runhl::kernel {

/// Mounts everything; the guest's root directory. `failure` names the mount that failed.
Result<Ref<Directory>> mount_all(const abi::BootConfig& config, BootFailure& failure);

}  // namespace runhl::kernel
