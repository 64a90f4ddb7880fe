// SPDX-License-Identifier: Apache-2.0
// mount and umount2. The mount tree is made at boot and does not change: whoever asks is refused,
// after what Linux looks at before it asks for the privilege.
#include <linux/capability.h>
#include <linux/limits.h>
#include <sys/mount.h>

#include <array>

#include "fs/vfs.h"
#include "mm/heap.h"
#include "syscalls/context.h"
#include "syscalls/handlers.h"

namespace runhl::kernel {
namespace {

constexpr std::uint64_t kMagic = 0xc0ed'0000, kMagicMask = 0xffff'0000;  // MS_MGC_VAL, MS_MGC_MSK
constexpr std::uint64_t kKernelOnly = 1ULL << 31;                        // MS_NOUSER

/// A type or a source, which may be missing.
Result<void> check_string(UserAddress from) {
  if (from == 0) {
    return {};
  }
  const auto text = TRY(make<std::array<char, PATH_MAX>>());
  const Result<std::size_t> length = copy_string_from_user(*text, from);
  return length ? Result<void>{} : fail(to_int(length.error()) == ENAMETOOLONG ? EINVAL : EFAULT);
}

}  // namespace

SyscallResult sys_mount(const SyscallArgs& args) {
  TRY(check_string(args.a2));
  TRY(check_string(args.a0));
  std::byte first{};
  if (args.a4 != 0) {
    TRY(copy_from_user(&first, args.a4, 1));
  }
  TRY(vfs_stat(*TRY(walk_from(AT_FDCWD, args.a1)), Follow::Yes));
  const std::uint64_t flags = (args.a3 & kMagicMask) == kMagic ? args.a3 & ~kMagicMask : args.a3;
  return (flags & kKernelOnly) != 0 ? fail(EINVAL) : fail(EPERM);
}

SyscallResult sys_umount2(const SyscallArgs& args) {
  const std::uint32_t flags = to_u32(args.a1);
  if ((flags & ~std::uint32_t{MNT_FORCE | MNT_DETACH | MNT_EXPIRE | UMOUNT_NOFOLLOW}) != 0) {
    return fail(EINVAL);
  }
  const Follow follow = (flags & UMOUNT_NOFOLLOW) != 0 ? Follow::No : Follow::Yes;
  const Owned<PathWalk> walk = TRY(walk_from(AT_FDCWD, args.a0));
  TRY(vfs_stat(*walk, follow));
  const bool privileged = current().credentials.has(CAP_SYS_ADMIN);
  return privileged && !walk->at_mount_root() ? fail(EINVAL) : fail(EPERM);
}

}  // namespace runhl::kernel
