// SPDX-License-Identifier: Apache-2.0
// What fstat shows of files that have no place in any file system.
#pragma once

#include "fs/file.h"
#include "runhl/abi/ring.h"

namespace runhl::kernel {

/// Of epoll, eventfd and their like: one inode for all of them, as Linux's anon_inode.
abi::FileAttr anonymous_attr();
/// It is such a file.
bool is_anonymous_inode(File& file);

}  // namespace runhl::kernel
