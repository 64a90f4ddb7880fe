// SPDX-License-Identifier: Apache-2.0
// The program that waits in a snapshot until it is told what to become (vmm/hyperlight/starter):
// added to a root file system without a copy of it, and gone from there before the program starts.
//
//   Starter starter = TRY(add_starter(rootfs));
//   spec.initrd_tail = starter.tail();
//   spec.command_line = TRY(make_command_line(spec.mounts, kStarterPath, {}));
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "runhl/base/result.h"
#include "runhl/base/unique_fd.h"
#include "runhl/vmm/hyperlight/guest.h"
#include "runhl/vmm/hyperlight/rootfs_archive.h"

namespace runhl::vmm::hyperlight {

inline constexpr std::string_view kStarterPath = "/.runhl-start";

class Starter {
 public:
  Starter(UniqueFd fd, std::uint64_t at, std::uint64_t size)
      : fd_(std::move(fd)), at_(at), size_(size) {}
  /// For a GuestSpec, as long as this lives.
  [[nodiscard]] InitrdTail tail() const { return {fd_.get(), at_, size_}; }

 private:
  UniqueFd fd_;
  std::uint64_t at_, size_;
};

/// What a root file system has beyond its archive, or in place of what is there.
struct AddedFile {
  std::string name;        ///< without a slash in front; what it lies in is there by then
  std::uint32_t mode = 0;  ///< with the type: a regular file or a directory
  std::string contents;
};

/// InvalidArgument: the archive has something in its place.
Result<Starter> add_starter(const RootfsArchive& rootfs, std::span<const AddedFile> files = {});

}  // namespace runhl::vmm::hyperlight
