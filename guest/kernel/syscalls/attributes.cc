// SPDX-License-Identifier: Apache-2.0
// Changing a file's mode, owner, times and size by name or descriptor.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/time.h>

#include <array>

#include "fs/vfs.h"
#include "syscalls/context.h"
#include "syscalls/handlers.h"

namespace runhl::kernel {
namespace {

using Times = std::array<abi::Timestamp, 2>;

/// The node behind a descriptor, on a mount that may be written.
Result<Ref<Node>> writable_node(int fd, bool path_only_too) {
  FdTable& files = current_files();
  const Ref<File> file = TRY(path_only_too ? files.get_any(fd) : files.get(fd));
  Ref<Node> node = file->node();
  if (node == nullptr) {
    return fail(EPERM);  // pipes and streams have nothing that could be changed
  }
  if (file->mount() != nullptr && file->mount()->read_only()) {
    return fail(EROFS);
  }
  return node;
}

EmptyPath empty_path(std::uint32_t flags) {
  return (flags & AT_EMPTY_PATH) != 0 ? EmptyPath::Allow : EmptyPath::Refuse;
}

Follow follow_of(std::uint32_t flags) {
  return (flags & AT_SYMLINK_NOFOLLOW) != 0 ? Follow::No : Follow::Yes;
}

SyscallResult change_mode(int dirfd, UserAddress path, std::uint32_t mode, std::uint32_t flags) {
  if (names_descriptor(dirfd, path, flags)) {
    TRY(TRY(writable_node(dirfd, true))->set_mode({}, mode & 07777));
    return 0;
  }
  TRY(vfs_set_mode(*TRY(walk_from(dirfd, path, empty_path(flags))), mode, follow_of(flags)));
  return 0;
}

SyscallResult change_owner(int dirfd, UserAddress path, OwnerChange owner, std::uint32_t flags) {
  if (names_descriptor(dirfd, path, flags)) {
    TRY(TRY(writable_node(dirfd, true))->set_owner({}, owner));
    return 0;
  }
  TRY(vfs_set_owner(*TRY(walk_from(dirfd, path, empty_path(flags))), owner, follow_of(flags)));
  return 0;
}

constexpr abi::Timestamp kNow{.seconds = 0, .nanoseconds = UTIME_NOW, .reserved = 0};

Result<abi::Timestamp> copy_timespec(UserAddress from, std::size_t index) {
  constexpr std::uint32_t kNoTime = ~0U;  // refused once the file has been found, as Linux does
  const timespec time = TRY(UserIn<timespec>(from).copy_in(index));
  const bool fits = time.tv_nsec >= 0 && time.tv_nsec < kNoTime;
  return abi::Timestamp{.seconds = time.tv_sec,
                        .nanoseconds = fits ? static_cast<std::uint32_t>(time.tv_nsec) : kNoTime,
                        .reserved = 0};
}

Result<Times> copy_timespecs(UserAddress from) {
  if (from == 0) {
    return Times{kNow, kNow};
  }
  return Times{TRY(copy_timespec(from, 0)), TRY(copy_timespec(from, 1))};
}

Result<Times> copy_timevals(UserAddress from) {
  Times times{kNow, kNow};
  if (from == 0) {
    return times;
  }
  for (std::size_t i = 0; i < 2; ++i) {
    const timeval time = TRY(UserIn<timeval>(from).copy_in(i));
    if (time.tv_usec < 0 || time.tv_usec > 999'999) {
      return fail(EINVAL);
    }
    times[i] = {.seconds = time.tv_sec,
                .nanoseconds = static_cast<std::uint32_t>(time.tv_usec) * 1000,
                .reserved = 0};
  }
  return times;
}

SyscallResult change_times(int dirfd, UserAddress path, const Times& times, std::uint32_t flags) {
  if (names_descriptor(dirfd, path, flags)) {
    const Ref<Node> node = TRY(writable_node(dirfd, true));
    TRY(check_times(times));
    TRY(node->set_times({}, times));
    return 0;
  }
  TRY(vfs_set_times(*TRY(walk_from(dirfd, path, empty_path(flags))), times, follow_of(flags)));
  return 0;
}

}  // namespace

SyscallResult sys_chmod(const SyscallArgs& args) {
  return change_mode(AT_FDCWD, args.a0, to_u32(args.a1), 0);
}

SyscallResult sys_fchmodat(const SyscallArgs& args) {
  return change_mode(to_fd(args.a0), args.a1, to_u32(args.a2), 0);
}

SyscallResult sys_fchmodat2(const SyscallArgs& args) {
  const std::uint32_t flags = to_u32(args.a3);
  if ((flags & ~std::uint32_t{AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH}) != 0) {
    return fail(EINVAL);
  }
  return change_mode(to_fd(args.a0), args.a1, to_u32(args.a2), flags);
}

SyscallResult sys_fchmod(const SyscallArgs& args) {
  const Ref<Node> node = TRY(writable_node(to_fd(args.a0), false));
  TRY(node->set_mode({}, to_u32(args.a1) & 07777));
  return 0;
}

SyscallResult sys_chown(const SyscallArgs& args) {
  return change_owner(AT_FDCWD, args.a0, {.uid = to_u32(args.a1), .gid = to_u32(args.a2)}, 0);
}

SyscallResult sys_lchown(const SyscallArgs& args) {
  return change_owner(AT_FDCWD, args.a0, {.uid = to_u32(args.a1), .gid = to_u32(args.a2)},
                      AT_SYMLINK_NOFOLLOW);
}

SyscallResult sys_fchown(const SyscallArgs& args) {
  const Ref<Node> node = TRY(writable_node(to_fd(args.a0), false));
  TRY(node->set_owner({}, {.uid = to_u32(args.a1), .gid = to_u32(args.a2)}));
  return 0;
}

SyscallResult sys_fchownat(const SyscallArgs& args) {
  const OwnerChange owner{.uid = to_u32(args.a2), .gid = to_u32(args.a3)};
  const std::uint32_t flags = to_u32(args.a4);
  if ((flags & ~std::uint32_t{AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH}) != 0) {
    return fail(EINVAL);
  }
  return change_owner(to_fd(args.a0), args.a1, owner, flags);
}

SyscallResult sys_utimensat(const SyscallArgs& args) {
  const std::uint32_t flags = to_u32(args.a3);
  const Times times = TRY(copy_timespecs(args.a2));
  if (times[0].nanoseconds == UTIME_OMIT && times[1].nanoseconds == UTIME_OMIT) {
    return 0;  // nothing to do, for whatever file
  }
  if ((flags & ~std::uint32_t{AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH}) != 0) {
    return fail(EINVAL);
  }
  if (args.a1 == 0 && to_fd(args.a0) != AT_FDCWD) {  // futimens
    const Ref<Node> node = TRY(writable_node(to_fd(args.a0), false));
    TRY(check_times(times));
    TRY(node->set_times({}, times));
    return 0;
  }
  return change_times(to_fd(args.a0), args.a1, times, flags);
}

SyscallResult sys_utimes(const SyscallArgs& args) {
  return change_times(AT_FDCWD, args.a0, TRY(copy_timevals(args.a1)), 0);
}

SyscallResult sys_utime(const SyscallArgs& args) {
  Times times{kNow, kNow};
  if (args.a1 != 0) {
    for (std::size_t i = 0; i < 2; ++i) {
      times[i] = {.seconds = TRY(UserIn<std::int64_t>(args.a1).copy_in(i)),
                  .nanoseconds = 0,
                  .reserved = 0};
    }
  }
  return change_times(AT_FDCWD, args.a0, times, 0);
}

SyscallResult sys_truncate(const SyscallArgs& args) {
  if (static_cast<std::int64_t>(args.a1) < 0) {
    return fail(EINVAL);
  }
  const Owned<PathWalk> walk = TRY(walk_from(AT_FDCWD, args.a0));
  const Ref<File> file = TRY(vfs_open(*walk, {.flags = O_WRONLY | O_NONBLOCK}));
  TRY(file->truncate(args.a1));
  return 0;
}

SyscallResult sys_umask(const SyscallArgs& args) {
  return current_fs().set_umask(to_u32(args.a0));
}

}  // namespace runhl::kernel
