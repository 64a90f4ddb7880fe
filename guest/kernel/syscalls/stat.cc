// SPDX-License-Identifier: Apache-2.0
// stat and its relatives, access, readlink, statfs.
#include <fcntl.h>
#include <linux/limits.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <array>

#include "fs/permission.h"
#include "fs/vfs.h"
#include "mm/heap.h"
#include "syscalls/context.h"
#include "syscalls/handlers.h"

namespace runhl::kernel {
namespace {

timespec to_user_time(const abi::Timestamp& time) {
  return {.tv_sec = time.seconds, .tv_nsec = time.nanoseconds};
}

Result<void> copy_stat(UserAddress out, const abi::FileAttr& attr) {
  struct stat result{};
  result.st_dev = attr.device;
  result.st_ino = attr.inode;
  result.st_nlink = attr.links;
  result.st_mode = attr.mode;
  result.st_uid = attr.uid;
  result.st_gid = attr.gid;
  result.st_rdev = makedev(attr.rdev_major, attr.rdev_minor);
  result.st_size = static_cast<std::int64_t>(attr.size);
  result.st_blksize = attr.block_size;
  result.st_blocks = static_cast<std::int64_t>(attr.blocks);
  result.st_atim = to_user_time(attr.accessed);
  result.st_mtim = to_user_time(attr.modified);
  result.st_ctim = to_user_time(attr.changed);
  return copy_to_user(out, &result, sizeof result);
}

statx_timestamp to_statx_time(const abi::Timestamp& time) {
  statx_timestamp result{};
  result.tv_sec = time.seconds;
  result.tv_nsec = time.nanoseconds;
  return result;
}

// <linux/stat.h> from 5.8 on
#ifndef STATX_MNT_ID
#define STATX_MNT_ID 0x00001000U
#endif
constexpr std::uint64_t kMountRoot = 0x2000;  // STATX_ATTR_MOUNT_ROOT, same

/// A file's attributes and where it was found.
struct Found {
  abi::FileAttr attr;
  const Mount* mount = nullptr;
  bool mount_root = false;
};

Result<void> copy_statx(UserAddress out, const Found& found) {
  const abi::FileAttr& attr = found.attr;
  struct statx result{};
  result.stx_mask = STATX_BASIC_STATS;
  // What the host says of its own mounts is not the guest's.
  result.stx_attributes = attr.attributes & ~kMountRoot;
  result.stx_attributes_mask = attr.attributes_mask | kMountRoot;
  if (found.mount_root) {
    result.stx_attributes |= kMountRoot;
  }
  if (found.mount != nullptr) {
    result.stx_mask |= STATX_MNT_ID;
    result.stx_mnt_id = found.mount->id;
  }
  result.stx_blksize = attr.block_size;
  result.stx_nlink = attr.links;
  result.stx_uid = attr.uid;
  result.stx_gid = attr.gid;
  result.stx_mode = static_cast<std::uint16_t>(attr.mode);
  result.stx_ino = attr.inode;
  result.stx_size = attr.size;
  result.stx_blocks = attr.blocks;
  result.stx_atime = to_statx_time(attr.accessed);
  result.stx_mtime = to_statx_time(attr.modified);
  result.stx_ctime = to_statx_time(attr.changed);
  if (attr.born.seconds != 0) {
    result.stx_btime = to_statx_time(attr.born);
    result.stx_mask |= STATX_BTIME;
  }
  result.stx_rdev_major = attr.rdev_major;
  result.stx_rdev_minor = attr.rdev_minor;
  result.stx_dev_major = major(attr.device);
  result.stx_dev_minor = minor(attr.device);
  return copy_to_user(out, &result, sizeof result);
}

/// The attributes of (dirfd, path, flags) as the *at calls name a file. One trip.
Result<Found> attributes_at(int dirfd, UserAddress path, std::uint32_t flags) {
  // NULL is an empty path here (Linux 6.11).
  const bool none = path == 0 && (flags & AT_EMPTY_PATH) != 0 && dirfd != AT_FDCWD;
  if (none || names_descriptor(dirfd, path, flags)) {
    const Ref<File> file = TRY(current_files().get_any(dirfd));
    return Found{.attr = TRY(file->attributes()), .mount = file->mount()};
  }
  const Owned<PathWalk> walk = TRY(
      walk_from(dirfd, path, (flags & AT_EMPTY_PATH) != 0 ? EmptyPath::Allow : EmptyPath::Refuse));
  const Follow follow = (flags & AT_SYMLINK_NOFOLLOW) != 0 ? Follow::No : Follow::Yes;
  const abi::FileAttr attr = TRY(vfs_stat(*walk, follow));
  return Found{.attr = attr, .mount = &walk->mount(), .mount_root = walk->at_mount_root()};
}

SyscallResult do_access(int dirfd, UserAddress path, std::uint32_t mode, std::uint32_t flags) {
  if ((mode & ~7U) != 0 ||
      (flags & ~std::uint32_t{AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH}) != 0) {
    return fail(EINVAL);
  }
  const bool effective = (flags & AT_EACCESS) != 0;
  if (names_descriptor(dirfd, path, flags)) {
    TRY(vfs_access_file(*TRY(current_files().get_any(dirfd)), mode, effective));
    return 0;
  }
  const Owned<PathWalk> walk = TRY(
      walk_from(dirfd, path, (flags & AT_EMPTY_PATH) != 0 ? EmptyPath::Allow : EmptyPath::Refuse));
  const Follow follow = (flags & AT_SYMLINK_NOFOLLOW) != 0 ? Follow::No : Follow::Yes;
  TRY(vfs_access(*walk, mode, follow, effective));
  return 0;
}

SyscallResult do_read_link(int dirfd, UserAddress path, UserAddress out, std::uint64_t size) {
  if (static_cast<int>(to_u32(size)) <= 0) {
    return fail(EINVAL);
  }
  const auto target = TRY(make<std::array<char, PATH_MAX>>());
  std::size_t length = 0;
  if (names_descriptor(dirfd, path, AT_EMPTY_PATH)) {
    const Ref<Node> node = TRY(current_files().get_any(dirfd))->node();
    const Result<std::size_t> read =
        node == nullptr ? fail(ENOENT) : node->read_link({.path = {}, .follow = false}, *target);
    if (!read) {  // Linux: what is no symlink has no such name
      return to_int(read.error()) == EINVAL ? fail(ENOENT) : tl::unexpected(read.error());
    }
    length = *read;
  } else {
    const Owned<PathWalk> walk = TRY(walk_from(dirfd, path, EmptyPath::Allow));
    const bool nameless = walk->given().empty();
    const Result<std::size_t> read = vfs_read_link(*walk, *target);
    if (!read) {
      return nameless && to_int(read.error()) == EINVAL ? fail(ENOENT)
                                                        : tl::unexpected(read.error());
    }
    length = *read;
  }
  const std::size_t copied = std::min<std::size_t>(length, to_u32(size));
  TRY(copy_to_user(out, target->data(), copied));
  return copied;
}

Result<void> copy_statfs(UserAddress out, const abi::StatFsReply& from) {
  struct statfs result{};
  result.f_type = static_cast<decltype(result.f_type)>(from.type);
  result.f_bsize = static_cast<decltype(result.f_bsize)>(from.block_size);
  result.f_blocks = from.blocks;
  result.f_bfree = from.blocks_free;
  result.f_bavail = from.blocks_available;
  result.f_files = from.files;
  result.f_ffree = from.files_free;
  result.f_namelen = static_cast<decltype(result.f_namelen)>(from.name_length);
  result.f_frsize = static_cast<decltype(result.f_frsize)>(from.fragment_size);
  result.f_flags = static_cast<decltype(result.f_flags)>(from.flags);
  return copy_to_user(out, &result, sizeof result);
}

}  // namespace

SyscallResult sys_stat(const SyscallArgs& args) {
  TRY(copy_stat(args.a1, TRY(attributes_at(AT_FDCWD, args.a0, 0)).attr));
  return 0;
}

SyscallResult sys_lstat(const SyscallArgs& args) {
  TRY(copy_stat(args.a1, TRY(attributes_at(AT_FDCWD, args.a0, AT_SYMLINK_NOFOLLOW)).attr));
  return 0;
}

SyscallResult sys_fstat(const SyscallArgs& args) {
  TRY(copy_stat(args.a1, TRY(TRY(current_files().get_any(to_fd(args.a0)))->attributes())));
  return 0;
}

SyscallResult sys_newfstatat(const SyscallArgs& args) {
  const std::uint32_t flags = to_u32(args.a3);
  if ((flags & ~std::uint32_t{AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH}) != 0) {
    return fail(EINVAL);
  }
  TRY(copy_stat(args.a2, TRY(attributes_at(to_fd(args.a0), args.a1, flags)).attr));
  return 0;
}

SyscallResult sys_statx(const SyscallArgs& args) {
  const std::uint32_t flags = to_u32(args.a2);
  if ((flags & ~std::uint32_t{AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH |
                              AT_STATX_SYNC_TYPE}) != 0 ||
      (flags & AT_STATX_SYNC_TYPE) == AT_STATX_SYNC_TYPE || (args.a3 & STATX__RESERVED) != 0) {
    return fail(EINVAL);
  }
  TRY(copy_statx(args.a4, TRY(attributes_at(to_fd(args.a0), args.a1, flags))));
  return 0;
}

SyscallResult sys_access(const SyscallArgs& args) {
  return do_access(AT_FDCWD, args.a0, to_u32(args.a1), 0);
}

SyscallResult sys_faccessat(const SyscallArgs& args) {
  return do_access(to_fd(args.a0), args.a1, to_u32(args.a2), 0);
}

SyscallResult sys_faccessat2(const SyscallArgs& args) {
  return do_access(to_fd(args.a0), args.a1, to_u32(args.a2), to_u32(args.a3));
}

SyscallResult sys_readlink(const SyscallArgs& args) {
  return do_read_link(AT_FDCWD, args.a0, args.a1, args.a2);
}

SyscallResult sys_readlinkat(const SyscallArgs& args) {
  return do_read_link(to_fd(args.a0), args.a1, args.a2, args.a3);
}

SyscallResult sys_statfs(const SyscallArgs& args) {
  const Owned<PathWalk> walk = TRY(walk_from(AT_FDCWD, args.a0));
  TRY(copy_statfs(args.a1, TRY(vfs_statfs(*walk))));
  return 0;
}

SyscallResult sys_fstatfs(const SyscallArgs& args) {
  const Ref<File> file = TRY(current_files().get_any(to_fd(args.a0)));
  const Ref<Node> node = file->node();
  if (node == nullptr) {
    constexpr std::uint64_t kPipefsMagic = 0x5049'5045;
    abi::StatFsReply pipes{};
    pipes.type = kPipefsMagic;
    pipes.block_size = pipes.fragment_size = 4096;
    pipes.name_length = NAME_MAX;
    TRY(copy_statfs(args.a1, pipes));
    return 0;
  }
  TRY(copy_statfs(args.a1, TRY(node->statfs())));
  return 0;
}

}  // namespace runhl::kernel
