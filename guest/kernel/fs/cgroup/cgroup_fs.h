// SPDX-License-Identifier: Apache-2.0
// A cgroup file system that shows the container's own limits, as programs look for them: the root
// of version 2, whatever the host has. Nothing can be changed and there are no groups below it: the
// host enforces, outside the guest.
#pragma once

#include "fs/pseudo/table_node.h"

namespace runhl::kernel {

Result<Ref<PseudoNode>> make_cgroup_root();

}  // namespace runhl::kernel
