// SPDX-License-Identifier: Apache-2.0
// What both forms of host files do with a granted directory: open beneath it, read names in it.
#pragma once

#include <string>
#include <vector>

#include "runhl/base/unique_fd.h"

namespace runhl::vmm::hyperlight {

/// Links are followed as long as they stay inside; an empty path is the directory itself. 0 or an
/// errno: EXDEV where it would leave, EINVAL for a path with a NUL.
int open_beneath(int directory, const std::string& path, int flags, UniqueFd* fd);

/// Regular files alone have contents here: nothing waits, nothing is a device. 0, or EISDIR,
/// EACCES.
int require_file(int fd);

struct Listed {
  std::string name;
  unsigned char type = 0;  ///< DT_DIR …
};
/// Without "." and "..", by name: an order that stays. 0 or an errno.
int list_directory(UniqueFd fd, std::vector<Listed>* entries);

}  // namespace runhl::vmm::hyperlight
