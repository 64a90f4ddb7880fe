// SPDX-License-Identifier: Apache-2.0
// The character devices that every container has: null, zero, full, random, urandom,
// and the nodes of terminals.
#pragma once

#include "fs/file.h"

namespace runhl::kernel {

/// Opens a device, FIFO or socket node; ENXIO where we have no driver.
Result<Ref<File>> open_special(const abi::FileAttr& attr, std::uint32_t flags, Mount& mount);

/// A character device, which has no places: an offset stays where it is.
bool is_device(File& file);
/// splice and sendfile can read from it; null is the one device of ours that Linux's cannot.
bool gives_splice(File& file);
/// They can write to it; full they cannot.
bool takes_splice(File& file);

}  // namespace runhl::kernel
