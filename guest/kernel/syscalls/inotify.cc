// SPDX-License-Identifier: Apache-2.0
// inotify_init, inotify_init1, inotify_add_watch, inotify_rm_watch.
#include "fs/objects/inotify.h"

#include <sys/stat.h>

#include "fs/permission.h"
#include "fs/vfs.h"
#include "syscalls/context.h"
#include "syscalls/handlers.h"

namespace runhl::kernel {
namespace {

struct InotifyRef {
  Ref<File> file;
  Inotify* inotify = nullptr;
};
Result<InotifyRef> inotify_of(int fd) {
  InotifyRef result;
  result.file = TRY(current_files().get(fd));
  result.inotify = result.file->as_inotify();
  if (result.inotify == nullptr) {
    return fail(EINVAL);
  }
  return result;
}

SyscallResult do_init(std::uint32_t flags) {
  if ((flags & ~std::uint32_t{O_CLOEXEC | O_NONBLOCK}) != 0) {
    return fail(EINVAL);
  }
  return install_file(TRY(make_ref<Inotify>(flags & O_NONBLOCK)), flags);
}

}  // namespace

SyscallResult sys_inotify_init(const SyscallArgs& /*args*/) {
  return do_init(0);
}

SyscallResult sys_inotify_init1(const SyscallArgs& args) {
  return do_init(to_u32(args.a0));
}

SyscallResult sys_inotify_add_watch(const SyscallArgs& args) {
  constexpr std::uint32_t kBoth = IN_MASK_ADD | IN_MASK_CREATE;
  constexpr std::uint32_t kKnown = IN_ALL_EVENTS | IN_UNMOUNT | IN_Q_OVERFLOW | IN_IGNORED |
                                   IN_ONLYDIR | IN_DONT_FOLLOW | IN_EXCL_UNLINK | kBoth | IN_ISDIR |
                                   IN_ONESHOT;
  const std::uint32_t mask = to_u32(args.a2);
  if ((mask & kKnown) == 0 || (mask & kBoth) == kBoth) {
    return fail(EINVAL);
  }
  const InotifyRef it = TRY(inotify_of(to_fd(args.a0)));
  const Owned<PathWalk> walk = TRY(walk_from(AT_FDCWD, args.a1));
  const Follow follow = (mask & IN_DONT_FOLLOW) != 0 ? Follow::No : Follow::Yes;
  const abi::FileAttr attr = TRY(vfs_stat(*walk, follow));
  if ((mask & IN_ONLYDIR) != 0 && !S_ISDIR(attr.mode)) {
    return fail(ENOTDIR);
  }
  TRY(check_access(attr, file_identity(current().credentials), kAccessRead));
  return static_cast<std::uint64_t>(TRY(it.inotify->add_watch(inode_key(attr), mask)));
}

SyscallResult sys_inotify_rm_watch(const SyscallArgs& args) {
  const InotifyRef it = TRY(inotify_of(to_fd(args.a0)));
  TRY(it.inotify->remove_watch(to_fd(args.a1)));
  return 0;
}

}  // namespace runhl::kernel
