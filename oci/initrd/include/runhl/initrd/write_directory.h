// SPDX-License-Identifier: Apache-2.0
// A Tree as files in a directory: the way back of directory.h.
//
//   const Unkept unkept = TRY(write_directory(tree, source, root_fd, Ownership::AsTold));
//
// No name of the tree leads out of the directory: every parent was made by this call, and no
// symlink is followed.
#pragma once

#include <cstdint>

#include "runhl/base/result.h"
#include "runhl/initrd/archive.h"
#include "runhl/initrd/tree.h"

namespace runhl::initrd {

enum class Ownership : std::uint8_t {
  AsTold,   ///< owners, devices: the caller may
  Callers,  ///< everything is the caller's
};

/// What the directory could not take.
struct Unkept {
  std::uint64_t devices = 0;  ///< empty files instead, as an ordinary user cannot make them
  std::uint64_t xattrs = 0;
};

/// `root`: an empty directory that nobody else writes to. Errors: of the host, naming the path;
/// what the source reports.
Result<Unkept> write_directory(const Tree& tree, FileSource& source, int root, Ownership ownership);

}  // namespace runhl::initrd
