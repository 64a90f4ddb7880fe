// SPDX-License-Identifier: Apache-2.0
// A host directory that an upstream guest gets.
#pragma once

#include <cstddef>
#include <string>

#include "runhl/base/result.h"
#include "runhl/base/unique_fd.h"

namespace runhl::vmm::hyperlight {

struct HostMount {
  int directory_fd = -1;  ///< borrowed; of a directory, O_PATH or opened for reading
  std::string target;     ///< where the guest sees it: absolute
  bool read_only = false;
};

/// A directory that may be granted. NotFound …: of the host; Permission: of a kernel file system
/// (proc, sysfs …), which is never served.
Result<UniqueFd> open_host_directory(const std::string& path);

/// As the kernel's table of mounts has it: "0:/data:hostfs:0x1::mkmp".
std::string mount_entry(std::size_t index, const HostMount& mount);

}  // namespace runhl::vmm::hyperlight
