// SPDX-License-Identifier: Apache-2.0
// Names: getdents, mkdir, unlink, rename, links, the working directory.
#include <dirent.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/limits.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "fs/objects/inotify.h"
#include "fs/vfs.h"
#include "mm/heap.h"
#include "syscalls/context.h"
#include "syscalls/handlers.h"

namespace runhl::kernel {
namespace {

/// getdents and getdents64 differ in where the type goes: in front of the name, or in the record's
/// last byte.
enum class Format : std::uint8_t { Old, With64 };

class UserEntries final : public DirSink {
 public:
  UserEntries(UserSpan out, Format format) : out_(out), format_(format) {}

  bool add(std::string_view name, std::uint64_t inode, std::uint64_t cookie,
           std::uint8_t type) override {
    // d_ino, d_off, d_reclen, [d_type], d_name, NUL, [d_type], padding
    constexpr std::size_t kFixed = 8 + 8 + 2;
    const std::size_t size = (kFixed + name.size() + 2 + 7) / 8 * 8;
    if (size > out_.size - used_ || name.size() > NAME_MAX) {
      overflow_ = true;
      return false;
    }
    std::array<std::byte, kFixed + NAME_MAX + 2 + 8> record{};
    const auto length = static_cast<std::uint16_t>(size);
    std::memcpy(record.data(), &inode, 8);
    std::memcpy(record.data() + 8, &cookie, 8);
    std::memcpy(record.data() + 16, &length, 2);
    const std::size_t name_at = format_ == Format::With64 ? kFixed + 1 : kFixed;
    std::memcpy(record.data() + name_at, name.data(), name.size());
    record[format_ == Format::With64 ? kFixed : size - 1] = static_cast<std::byte>(type);
    if (!copy_to_user(out_.address + used_, record.data(), size)) {
      faulted_ = true;
      return false;
    }
    used_ += size;
    return true;
  }
  [[nodiscard]] std::size_t capacity() const override { return out_.size - used_; }

  [[nodiscard]] SyscallResult result() const {
    if (used_ != 0) {
      return used_;
    }
    if (faulted_) {
      return fail(EFAULT);
    }
    return overflow_ ? SyscallResult(fail(EINVAL)) : SyscallResult(0);
  }

 private:
  UserSpan out_;
  Format format_;
  std::size_t used_ = 0;
  bool overflow_ = false;
  bool faulted_ = false;
};

SyscallResult list_directory(const SyscallArgs& args, Format format) {
  const Ref<File> file = TRY(current_files().get(to_fd(args.a0)));
  UserEntries entries({.address = args.a1, .size = to_u32(args.a2)}, format);
  TRY(file->read_directory(entries));
  if (file_watches_exist()) {
    tell_file_event(*file, IN_ACCESS);  // at the end of it, too
  }
  return entries.result();
}

SyscallResult do_make_directory(int dirfd, UserAddress path, std::uint32_t mode) {
  TRY(vfs_make_directory(*TRY(walk_from(dirfd, path)), mode));
  return 0;
}

/// The number as mknod(2) packs it (makedev).
SyscallResult do_make_special(int dirfd, UserAddress path, std::uint32_t mode,
                              std::uint64_t number) {
  switch (mode & S_IFMT) {
    case 0:
      mode |= S_IFREG;
      break;
    case S_IFREG:
    case S_IFCHR:
    case S_IFBLK:
    case S_IFIFO:
    case S_IFSOCK:
      break;
    case S_IFDIR:
      return fail(EPERM);
    default:
      return fail(EINVAL);
  }
  const DeviceNumber device{.major = major(to_u32(number)), .minor = minor(to_u32(number))};
  TRY(vfs_make_special(*TRY(walk_from(dirfd, path)), mode, device));
  return 0;
}

SyscallResult do_remove(int dirfd, UserAddress path, bool directory) {
  TRY(vfs_remove(*TRY(walk_from(dirfd, path)), directory));
  return 0;
}

SyscallResult do_rename(int from_dir, UserAddress from, int to_dir, UserAddress to,
                        std::uint32_t flags) {
  const Owned<PathWalk> source = TRY(walk_from(from_dir, from));
  const Result<Owned<PathWalk>> target = walk_from(to_dir, to);
  if (!target) {
    TRY(source->resolve_parent());  // its error comes first
    return tl::unexpected(target.error());
  }
  TRY(vfs_rename(*source, **target, flags));
  return 0;
}

/// linkat(AT_EMPTY_PATH) is for who opened the descriptor, with the very credentials of that time;
/// of a path that begins elsewhere it is not asked.
Result<void> check_opener(int dirfd, UserAddress path) {
  std::array<char, 1> first{};
  if (dirfd == AT_FDCWD || !copy_from_user(first.data(), path, 1) || first[0] == '/') {
    return {};
  }
  const Credentials& who = current().credentials;
  const Ref<File> file = TRY(current_files().get_any(dirfd));
  return file->opener() == who.serial || who.has(CAP_DAC_READ_SEARCH) ? Result<void>{}
                                                                      : fail(ENOENT);
}

SyscallResult do_link(int from_dir, UserAddress from, int to_dir, UserAddress to,
                      std::uint32_t flags) {
  if ((flags & ~std::uint32_t{AT_SYMLINK_FOLLOW | AT_EMPTY_PATH}) != 0) {
    return fail(EINVAL);
  }
  if ((flags & AT_EMPTY_PATH) != 0) {
    TRY(check_opener(from_dir, from));
  }
  if (names_descriptor(from_dir, from, flags)) {
    const Ref<File> file = TRY(current_files().get_any(from_dir));
    TRY(vfs_link_file(*file, *TRY(walk_from(to_dir, to))));
    return 0;
  }
  const Follow follow = (flags & AT_SYMLINK_FOLLOW) != 0 ? Follow::Yes : Follow::No;
  const EmptyPath empty = (flags & AT_EMPTY_PATH) != 0 ? EmptyPath::Allow : EmptyPath::Refuse;
  const Owned<PathWalk> source = TRY(walk_from(from_dir, from, empty));
  const Result<Owned<PathWalk>> target = walk_from(to_dir, to);
  if (!target) {
    TRY(vfs_stat(*source, follow));  // its error comes first
    return tl::unexpected(target.error());
  }
  TRY(vfs_link(*source, **target, follow));
  return 0;
}

SyscallResult do_symlink(UserAddress target, int dirfd, UserAddress path) {
  const auto text = TRY(make<std::array<char, PATH_MAX>>());
  const std::size_t length = TRY(copy_string_from_user(*text, target));
  if (length == 0) {
    return fail(ENOENT);
  }
  TRY(vfs_make_symlink(*TRY(walk_from(dirfd, path)), {text->data(), length}));
  return 0;
}

}  // namespace

SyscallResult sys_getdents(const SyscallArgs& args) {
  return list_directory(args, Format::Old);
}

SyscallResult sys_getdents64(const SyscallArgs& args) {
  return list_directory(args, Format::With64);
}

SyscallResult sys_mkdir(const SyscallArgs& args) {
  return do_make_directory(AT_FDCWD, args.a0, to_u32(args.a1));
}

SyscallResult sys_mkdirat(const SyscallArgs& args) {
  return do_make_directory(to_fd(args.a0), args.a1, to_u32(args.a2));
}

SyscallResult sys_mknod(const SyscallArgs& args) {
  return do_make_special(AT_FDCWD, args.a0, to_u32(args.a1), args.a2);
}

SyscallResult sys_mknodat(const SyscallArgs& args) {
  return do_make_special(to_fd(args.a0), args.a1, to_u32(args.a2), args.a3);
}

SyscallResult sys_rmdir(const SyscallArgs& args) {
  return do_remove(AT_FDCWD, args.a0, true);
}

SyscallResult sys_unlink(const SyscallArgs& args) {
  return do_remove(AT_FDCWD, args.a0, false);
}

SyscallResult sys_unlinkat(const SyscallArgs& args) {
  if ((to_u32(args.a2) & ~std::uint32_t{AT_REMOVEDIR}) != 0) {
    return fail(EINVAL);
  }
  return do_remove(to_fd(args.a0), args.a1, args.a2 != 0);
}

SyscallResult sys_rename(const SyscallArgs& args) {
  return do_rename(AT_FDCWD, args.a0, AT_FDCWD, args.a1, 0);
}

SyscallResult sys_renameat(const SyscallArgs& args) {
  return do_rename(to_fd(args.a0), args.a1, to_fd(args.a2), args.a3, 0);
}

SyscallResult sys_renameat2(const SyscallArgs& args) {
  TRY(check_rename_flags(to_u32(args.a4)));
  return do_rename(to_fd(args.a0), args.a1, to_fd(args.a2), args.a3, to_u32(args.a4));
}

SyscallResult sys_link(const SyscallArgs& args) {
  return do_link(AT_FDCWD, args.a0, AT_FDCWD, args.a1, 0);
}

SyscallResult sys_linkat(const SyscallArgs& args) {
  return do_link(to_fd(args.a0), args.a1, to_fd(args.a2), args.a3, to_u32(args.a4));
}

SyscallResult sys_symlink(const SyscallArgs& args) {
  return do_symlink(args.a0, AT_FDCWD, args.a1);
}

SyscallResult sys_symlinkat(const SyscallArgs& args) {
  return do_symlink(args.a0, to_fd(args.a1), args.a2);
}

namespace {

using PathText = std::array<char, PATH_MAX>;

/// The guest's path of a directory, from the mount tree's root; its length.
Result<std::size_t> path_of(const Directory& directory, PathText& out) {
  const auto path = TRY(make<PathText>());
  const Directory::Where where = TRY(directory.copy_path(*path));
  if (where.removed) {
    return fail(ENOENT);
  }
  return MountTable::instance().guest_path(directory.mount(), {path->data(), where.length},
                                           std::span(out).first(PATH_MAX - 1));
}

/// What lies behind the changed root; or Linux's mark for what lies outside.
Result<Text> below_root(std::string_view path) {
  const auto text = TRY(make<PathText>());
  const std::string_view root(text->data(), TRY(path_of(*current_fs().root(), *text)));
  if (root == "/") {
    return Text::copy(path);
  }
  if (!path.starts_with(root) || (path.size() > root.size() && path[root.size()] != '/')) {
    return Text::join("(unreachable)", path);
  }
  const std::string_view rest = path.substr(root.size());
  return Text::copy(rest.empty() ? "/" : rest);
}

}  // namespace

SyscallResult sys_getcwd(const SyscallArgs& args) {
  const auto text = TRY(make<PathText>());
  std::string_view path(text->data(), TRY(path_of(*current_fs().cwd(), *text)));
  Text below;
  if (current_fs().root_changed()) {
    below = TRY(below_root(path));
    path = below.view();
  }
  if (path.size() + 1 > args.a1) {
    return fail(ERANGE);
  }
  const char end = '\0';
  TRY(copy_to_user(args.a0, path.data(), path.size()));
  TRY(copy_to_user(args.a0 + path.size(), &end, 1));
  return path.size() + 1;
}

SyscallResult sys_chdir(const SyscallArgs& args) {
  const Owned<PathWalk> walk = TRY(walk_from(AT_FDCWD, args.a0));
  current_fs().set_cwd(TRY(vfs_open_directory(*walk)));
  return 0;
}

SyscallResult sys_chroot(const SyscallArgs& args) {
  const Owned<PathWalk> walk = TRY(walk_from(AT_FDCWD, args.a0));
  Ref<Directory> directory = TRY(vfs_open_directory(*walk));
  if (!current().credentials.has(CAP_SYS_CHROOT)) {
    return fail(EPERM);
  }
  current_fs().set_root(std::move(directory));
  return 0;
}

SyscallResult sys_fchdir(const SyscallArgs& args) {
  const Ref<File> file = TRY(current_files().get_any(to_fd(args.a0)));
  Ref<Directory> directory = file->directory();
  if (directory == nullptr) {
    return fail(ENOTDIR);
  }
  TRY(check_search(*directory));
  current_fs().set_cwd(std::move(directory));
  return 0;
}

}  // namespace runhl::kernel
