// SPDX-License-Identifier: Apache-2.0
// Archives that were made before, of directories and of images. One is used again only for what has
// the same manifest byte for byte, so never for a tree that has changed.
//
//   <directory>/KEY.cpio       the archive
//   <directory>/KEY.manifest   what it was made of; written last, so it vouches for the archive
//   <directory>/KEY.lock       held while it is being made; gone afterwards
//
//   Cache cache = TRY(Cache::open(TRY(Cache::default_directory())));
//   UniqueFd archive = TRY(cache.find(manifest));          // none: not there
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "runhl/base/result.h"
#include "runhl/base/unique_fd.h"
#include "runhl/initrd/directory.h"

namespace runhl::initrd {

class Cache {
 public:
  /// /var/lib/runhl/initrd for root, else in $XDG_CACHE_HOME (~/.cache).
  static Result<std::string> default_directory();
  /// Makes it where it is missing. Permission: others may write to it.
  static Result<Cache> open(const std::string& directory);

  [[nodiscard]] const std::string& directory() const { return directory_; }

  /// The archive, opened for reading and marked as used; none: it has to be made.
  [[nodiscard]] Result<UniqueFd> find(const Manifest& manifest) const;
  /// Writes an archive into an empty file.
  using ArchiveMaker = std::function<Result<void>(int out)>;
  /// The archive of what `manifest` tells, made by `make` unless it is there. Several callers make
  /// it once.
  [[nodiscard]] Result<UniqueFd> add(const Manifest& manifest, const ArchiveMaker& make) const;
  /// The same for the directory `root`.
  [[nodiscard]] Result<UniqueFd> add(int root) const;
  /// Removes the archives that were not used for longest until at most `keep_bytes` are left; the
  /// number of bytes that were freed. Containers that run from one keep it. The archive that is
  /// opened as `spared` stays, whatever its size: who just made it is about to use it.
  [[nodiscard]] Result<std::uint64_t> prune(std::uint64_t keep_bytes, int spared = -1) const;

  struct Usage {
    std::uint64_t archives = 0, bytes = 0;  // on the disk
  };
  [[nodiscard]] Result<Usage> usage() const;

 private:
  explicit Cache(std::string directory, UniqueFd fd)
      : directory_(std::move(directory)), fd_(std::move(fd)) {}
  [[nodiscard]] Result<UniqueFd> lock(const std::string& key) const;

  std::string directory_;
  UniqueFd fd_;
};

}  // namespace runhl::initrd
