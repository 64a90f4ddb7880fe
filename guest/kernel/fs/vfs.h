// SPDX-License-Identifier: Apache-2.0
// What system calls do with paths: the walk, the mount's rules (read-only, noexec, nodev) and the
// file system's operation, put together once.
#pragma once

#include <cstdint>
#include <string_view>

#include "core/result.h"
#include "fs/file.h"
#include "fs/mount.h"
#include "fs/path.h"

namespace runhl::kernel {

/// A walk from `dirfd` (or AT_FDCWD) along the program's path.
Result<Owned<PathWalk>> walk_from(int dirfd, UserAddress path, EmptyPath empty = EmptyPath::Refuse);
/// A walk from the working directory, for the kernel's own paths.
Result<Owned<PathWalk>> walk_from_cwd(std::string_view path);

struct OpenOptions {
  std::uint32_t flags = 0;  // O_*, as open(2) takes them
  std::uint32_t mode = 0;
  bool inject = false;  // the file is about to be mapped
};
Result<Ref<File>> vfs_open(PathWalk& walk, const OpenOptions& options);
Result<abi::FileAttr> vfs_stat(PathWalk& walk, Follow follow);
/// For chdir: a directory that may be searched.
Result<Ref<Directory>> vfs_open_directory(PathWalk& walk);
Result<void> check_search(Directory& directory);
Result<void> vfs_access(PathWalk& walk, std::uint32_t wanted, Follow follow, bool effective_ids);
Result<std::size_t> vfs_read_link(PathWalk& walk, std::span<char> target);
Result<void> vfs_make_directory(PathWalk& walk, std::uint32_t mode);
Result<void> vfs_make_symlink(PathWalk& walk, std::string_view target);
Result<void> vfs_remove(PathWalk& walk, bool directory);
Result<void> vfs_rename(PathWalk& from, PathWalk& to, std::uint32_t flags);
Result<void> vfs_link(PathWalk& from, PathWalk& to, Follow follow);
Result<void> vfs_set_mode(PathWalk& walk, std::uint32_t mode, Follow follow);
Result<void> vfs_set_owner(PathWalk& walk, OwnerChange owner, Follow follow);
Result<void> vfs_set_times(PathWalk& walk, const std::array<abi::Timestamp, 2>& times,
                           Follow follow);
Result<abi::StatFsReply> vfs_statfs(PathWalk& walk);

}  // namespace runhl::kernel
