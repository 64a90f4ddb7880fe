// SPDX-License-Identifier: Apache-2.0
// Writes a Tree as one newc CPIO archive with an index (docs/initrd-format.md). The same tree and
// the same bytes give the same archive, whoever writes it and when.
#pragma once

#include <cstdint>

#include "runhl/base/result.h"
#include "runhl/base/unique_fd.h"
#include "runhl/initrd/tree.h"

namespace runhl::initrd {

/// Gives the bytes of regular files.
class FileSource {
 public:
  FileSource() = default;
  FileSource(const FileSource&) = delete;
  FileSource& operator=(const FileSource&) = delete;
  FileSource(FileSource&&) = default;
  FileSource& operator=(FileSource&&) = default;
  virtual ~FileSource() = default;

  struct Opened {
    UniqueFd fd;               // seekable
    std::uint64_t offset = 0;  // of the file's first byte in it
  };
  virtual Result<Opened> open(InodeNumber inode) = 0;
  /// All bytes were taken: whether they were the ones that the tree was made of.
  virtual Result<void> finish(InodeNumber inode, const Opened& opened);
};

/// `out`: an empty regular file. Holes of the sources stay holes in it. Returns its size.
/// Errors: Io (out of space, a source that ends early), what the source reports, InvalidArgument
/// (an archive of more than 2^32 inodes or names).
Result<std::uint64_t> write_archive(const Tree& tree, FileSource& source, int out);

}  // namespace runhl::initrd
