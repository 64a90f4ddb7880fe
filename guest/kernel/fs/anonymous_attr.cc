// SPDX-License-Identifier: Apache-2.0
#include "fs/anonymous_attr.h"

#include "runhl/abi/layout.h"

namespace runhl::kernel {

abi::FileAttr anonymous_attr() {
  constexpr std::uint32_t kAnonymousDevice = 0x0f;
  abi::FileAttr attr{};
  attr.inode = 1;
  attr.device = kAnonymousDevice;
  attr.mode = 0600;  // no file type at all, as on Linux
  attr.links = 1;
  attr.block_size = 4096;
  return attr;
}

bool is_anonymous_inode(File& file) {
  return file.as_inotify() != nullptr || file.anonymous_name().starts_with('[');
}

}  // namespace runhl::kernel
