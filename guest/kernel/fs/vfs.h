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
/// True: (path, AT_EMPTY_PATH) names the descriptor itself, whatever it refers to.
bool names_descriptor(int dirfd, UserAddress path, std::uint32_t at_flags);
/// A walk from the working directory, for the kernel's own paths.
Result<Owned<PathWalk>> walk_from_cwd(std::string_view path);

struct OpenOptions {
  std::uint32_t flags = 0;  // O_*, as open(2) takes them
  std::uint32_t mode = 0;
  bool inject = false;  // the file is about to be mapped
};
/// EINVAL: O_* that do not go together; asked before any name is looked at.
Result<void> check_open_flags(std::uint32_t flags);
Result<Ref<File>> vfs_open(PathWalk& walk, const OpenOptions& options);
Result<abi::FileAttr> vfs_stat(PathWalk& walk, Follow follow);
/// For chdir: a directory that may be searched.
Result<Ref<Directory>> vfs_open_directory(PathWalk& walk);
Result<void> check_search(Directory& directory);
Result<void> vfs_access(PathWalk& walk, std::uint32_t wanted, Follow follow, bool effective_ids);
Result<void> vfs_access_file(File& file, std::uint32_t wanted, bool effective_ids);
Result<std::size_t> vfs_read_link(PathWalk& walk, std::span<char> target);
Result<void> vfs_make_directory(PathWalk& walk, std::uint32_t mode);
/// `mode` with its type, as mknod(2) takes it.
Result<void> vfs_make_special(PathWalk& walk, std::uint32_t mode, DeviceNumber number);
Result<void> vfs_make_symlink(PathWalk& walk, std::string_view target);
Result<void> vfs_remove(PathWalk& walk, bool directory);
/// EINVAL: as check_open_flags(), of RENAME_*.
Result<void> check_rename_flags(std::uint32_t flags);
Result<void> vfs_rename(PathWalk& from, PathWalk& to, std::uint32_t flags);
Result<void> vfs_link(PathWalk& from, PathWalk& to, Follow follow);
/// Gives an open file a name: linkat(AT_EMPTY_PATH), or through a link to a descriptor in /proc.
Result<void> vfs_link_file(File& file, PathWalk& to);
Result<void> vfs_set_mode(PathWalk& walk, std::uint32_t mode, Follow follow);
Result<void> vfs_set_owner(PathWalk& walk, OwnerChange owner, Follow follow);
/// EINVAL: nanoseconds that are none.
Result<void> check_times(const std::array<abi::Timestamp, 2>& times);
Result<void> vfs_set_times(PathWalk& walk, const std::array<abi::Timestamp, 2>& times,
                           Follow follow);
Result<abi::StatFsReply> vfs_statfs(PathWalk& walk);
Result<std::size_t> vfs_get_xattr(PathWalk& walk, Follow follow, std::string_view name,
                                  std::span<std::byte> out);
Result<void> vfs_set_xattr(PathWalk& walk, Follow follow, std::string_view name,
                           const XattrValue& value);
Result<std::size_t> vfs_list_xattrs(PathWalk& walk, Follow follow, std::span<std::byte> out);
Result<void> vfs_remove_xattr(PathWalk& walk, Follow follow, std::string_view name);

}  // namespace runhl::kernel
