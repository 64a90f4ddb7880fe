// SPDX-License-Identifier: Apache-2.0
// The character devices that every container has: null, zero, full, random, urandom,
// and the nodes of terminals.
#pragma once

#include "fs/file.h"

namespace runhl::kernel {

/// Opens a device, FIFO or socket node; ENXIO where we have no driver.
Result<Ref<File>> open_special(const abi::FileAttr& attr, std::uint32_t flags, Mount& mount);

}  // namespace runhl::kernel
