// SPDX-License-Identifier: Apache-2.0
// A directory of the host as the contents of an initrd.
//
//   DirectorySource source(root_fd);
//   TRY(source.scan());
//   TRY(write_archive(source.tree(), source, out_fd));
//
// What is mounted below the directory is not part of it: a mount point is an empty directory or
// file. Symlinks are never followed. A file that changes between the scan and the end of its copy
// is an error, never a mixture.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runhl/base/result.h"
#include "runhl/initrd/archive.h"
#include "runhl/initrd/tree.h"

namespace runhl::initrd {

class DirectorySource final : public FileSource {
 public:
  /// `root` is a readable directory, borrowed.
  explicit DirectorySource(int root) : root_(root) {}

  Result<void> scan();
  [[nodiscard]] const Tree& tree() const { return tree_; }

  Result<Opened> open(InodeNumber inode) override;
  Result<void> finish(InodeNumber inode, const Opened& opened) override;

 private:
  /// What tells that a file is still the one that was scanned.
  struct Origin {
    std::string path;
    std::uint64_t inode = 0, size = 0;
    std::int64_t changed = 0;
    std::uint32_t changed_ns = 0;
  };
  [[nodiscard]] Result<void> check_same(const Origin& origin, int fd) const;

  int root_;
  Tree tree_;
  std::vector<Origin> origins_;  // by InodeNumber - 1; regular files only
};

/// Everything about a directory that changes when anything beneath it does: names, inode numbers,
/// types, modes, owners, sizes and times of change. Equal manifests: equal trees.
struct Manifest {
  std::string bytes;
  /// The latest change in it, in nanoseconds since 1970. Two changes in one tick of the host's
  /// clock look alike, so what changed just now may change once more unnoticed.
  std::int64_t latest_change = 0;

  /// A name for a file about it: 32 hexadecimal digits.
  [[nodiscard]] std::string key() const;
};
Result<Manifest> directory_manifest(int root);

}  // namespace runhl::initrd
