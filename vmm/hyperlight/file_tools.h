// SPDX-License-Identifier: Apache-2.0
// G1's fs_* tools: a guest names host files by its own absolute paths, and a mount is chosen by
// their beginning. Names, limits and messages are those of upstream's host of that time; what
// leaves a mount is refused by the host's kernel, whatever changes meanwhile.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "hyperlight/json_tools.h"
#include "runhl/vmm/hyperlight/host_mount.h"

namespace runhl::vmm::hyperlight {

/// A path of the guest's, within a mount.
struct MountedPath {
  const HostMount* mount = nullptr;
  std::string path;   ///< relative, no ".", no ".."; empty: the mount itself
  std::string given;  ///< as it was, without what named the mount
};

class MountedFiles {
 public:
  explicit MountedFiles(std::vector<HostMount> mounts);
  /// NotFound: no mount. Permission: `..` leads out of it.
  [[nodiscard]] Result<MountedPath> resolve(std::string_view path) const;

 private:
  std::vector<HostMount> mounts_;  ///< those deeper in the tree first
};

/// `files` outlives them.
void add_file_tools(JsonTools* tools, const MountedFiles* files);

}  // namespace runhl::vmm::hyperlight
