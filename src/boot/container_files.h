// SPDX-License-Identifier: Apache-2.0
// What a container's root file system has beyond its archive: files of the host, copied, and
// directories that config.json relies on; and where its program lies.
#pragma once

#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "runhl/base/result.h"
#include "runhl/vmm/hyperlight/host_mount.h"
#include "runhl/vmm/hyperlight/rootfs_archive.h"
#include "runhl/vmm/hyperlight/starter.h"

namespace runhl::boot {

class ContainerFiles {
 public:
  /// `rootfs` outlives it.
  explicit ContainerFiles(const vmm::hyperlight::RootfsArchive& rootfs) : rootfs_(rootfs) {}

  /// The regular file `path` of this process's as `target`. InvalidArgument: something else, or
  /// more than a guest gets.
  Result<void> copy(const std::string& path, const std::string& target);
  /// With what it lies in; no more than there is already.
  void make_directory(const std::string& target);
  [[nodiscard]] std::span<const vmm::hyperlight::AddedFile> added() const { return added_; }

  /// The program's path: absolute. Below `mounts` nothing is looked at. Errors, as engines match
  /// them: NotFound, Permission.
  [[nodiscard]] Result<std::string> find_program(
      const std::string& name, const std::vector<std::string>& env, const std::string& directory,
      std::span<const vmm::hyperlight::HostMount> mounts) const;

 private:
  const vmm::hyperlight::RootfsArchive& rootfs_;
  std::vector<vmm::hyperlight::AddedFile> added_;
  std::set<std::string, std::less<>> names_;  ///< of added_
  std::uint64_t copied_ = 0;                  ///< bytes
};

}  // namespace runhl::boot
