// SPDX-License-Identifier: Apache-2.0
// The devpts file system: ptmx and a node a pseudo terminal.
#pragma once

#include "fs/pseudo/pseudo_node.h"

namespace runhl::kernel {

/// The root; `mode` and `gid` are those of new terminals.
Result<Ref<PseudoNode>> make_devpts_root(std::uint32_t mode, std::uint32_t gid);

}  // namespace runhl::kernel
