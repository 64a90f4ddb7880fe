// SPDX-License-Identifier: Apache-2.0
// /sys, as far as programs ask it about CPUs and memory.
#pragma once

#include "fs/pseudo/table_node.h"

namespace runhl::kernel {

/// The root of /sys; one file system, however often it is mounted.
Result<Ref<PseudoNode>> make_sys_root();

}  // namespace runhl::kernel
