// SPDX-License-Identifier: Apache-2.0
// Attacks on the ceiling: credentials that the container does not have, in each operation that asks
// the host for a right. Run with a ceiling of uid 1000, and of uid 0, both without a capability.
// Beside the tree of requests.cc: open/mine, uid 1000's, 0644; sticky/theirs, root's, in a
// directory that anybody may write but only owners remove from.
#include <linux/stat.h>

#include "kernel/attacks.h"
#include "kernel/file_calls.h"

namespace hostile {

namespace {

/// The request in slot 0, made as `uid` with every capability there is.
std::int64_t ask_as(std::uint32_t uid) {
  auto& credentials = slot(0).credentials;
  credentials.uid = uid;
  credentials.gid = 0;
  credentials.capabilities = ~0ULL;
  credentials.group_count = 2;
  credentials.groups[0] = 0;
  credentials.groups[1] = 6;  // disk
  return ask();
}

/// What takes CAP_SYS_ADMIN, CAP_SETFCAP, CAP_MKNOD and CAP_CHOWN, whoever asks.
void try_capabilities(std::uint32_t uid, const char* own) {
  for (const char* name : {"trusted.a", "trusted.overlay.opaque", "security.capability",
                           "security.selinux", "security.ima"}) {
    RequestSlot& out = two_texts(HostOp::SetXattr, own, name);
    // struct vfs_cap_data of revision 2, as security.capability has to be.
    char* const value = bounce(0) + out.path_length + out.path2_length;
    out.length = 20;
    __builtin_memset(value, 0, out.length);
    value[3] = 2;
    check(ask_as(uid) == -EPERM, name, uid);
    two_texts(HostOp::RemoveXattr, own, name);
    check(ask_as(uid) < 0, name, uid);
  }
  for (const std::uint32_t type : {0U + S_IFCHR, 0U + S_IFBLK}) {
    RequestSlot& out = request(0, HostOp::MakeNode, "open/device");
    out.mode = type | 0666;
    out.rdev_major = type == S_IFCHR ? 1 : 8;
    out.rdev_minor = 1;
    check(ask_as(uid) == -EPERM, "made a device as uid", uid);
  }
  for (const std::uint32_t owner : {0U, 4711U}) {
    RequestSlot& out = request(0, HostOp::SetOwner, own);
    out.uid = owner;
    out.gid = 4711;
    check(ask_as(uid) == -EPERM, "gave a file away as uid", uid);
  }
}

/// What another user's file, 0600, refuses.
void try_foreign(std::uint32_t uid, const char* file) {
  for (const std::uint32_t flags : {0U + O_RDONLY, 0U + O_WRONLY, 0U + (O_RDWR | O_TRUNC)}) {
    request(0, HostOp::Open, file).flags = flags;
    check(ask_as(uid) == -EACCES, "opened as uid", uid);
  }
  // Its place may be known; that gives no lock, no data and no mapping.
  request(0, HostOp::Open, file).flags = O_PATH;
  const std::int64_t place = ask_as(uid);
  check(place > 0, "open a place", place);
  for (const HostOp op : {HostOp::RecordLock, HostOp::FileLock, HostOp::Read, HostOp::Allocate,
                          HostOp::SyncFs, HostOp::Truncate}) {
    on_handle(op, place).mode = op == HostOp::FileLock ? LOCK_EX : F_WRLCK;
    slot(0).length = 1;
    check(ask_as(uid) < 0, "did it with a place as uid", static_cast<std::int64_t>(op));
  }
  on_handle(HostOp::Inject, place).slot = 64;
  check(ask_as(uid) == -EACCES, "injected a place as uid", uid);
  on_handle(HostOp::Open, place).slot = 64;
  check(ask_as(uid) < 0, "opened a place anew as uid", uid);
  check(close(place) == 0, "close");
  for (const char* name : {"user.a", "system.posix_acl_access"}) {
    with_value(HostOp::SetXattr, file, name, "x");
    check(ask_as(uid) < 0, name, uid);
  }
  two_texts(HostOp::GetXattr, file, "user.a");
  check(ask_as(uid) < 0, "read an attribute as uid", uid);
  for (const HostOp op : {HostOp::SetMode, HostOp::SetTimes}) {
    request(0, op, file).mode = 0666;
    slot(0).times[0].seconds = 1;
    const std::int64_t result = ask_as(uid);
    check(result == -EPERM || result == -EACCES, "changed it as uid", uid);
  }
}

/// Names in a directory of another's, and another's in one of everybody.
void try_directories(std::uint32_t uid) {
  request(0, HostOp::Unlink, "dir/file");
  check(ask_as(uid) == -EACCES, "removed from another's directory as uid", uid);
  two_texts(HostOp::Rename, "dir/file", "open/file");
  check(ask_as(uid) == -EACCES, "moved out of another's directory as uid", uid);
  two_texts(HostOp::Link, "open/mine", "dir/mine");
  check(ask_as(uid) == -EACCES, "linked into another's directory as uid", uid);
  for (const HostOp op : {HostOp::MakeDir, HostOp::Symlink, HostOp::MakeNode}) {
    two_texts(op, "dir/new", "text").mode = op == HostOp::MakeNode ? S_IFIFO | 0600 : 0700;
    check(ask_as(uid) == -EACCES, "made in another's directory as uid", uid);
  }
  request(0, HostOp::Open, "dir").flags = O_TMPFILE | O_RDWR;
  check(ask_as(uid) == -EACCES, "a nameless file in another's directory as uid", uid);
  request(0, HostOp::Unlink, "sticky/theirs");
  check(ask_as(uid) == -EPERM, "removed another's from a sticky directory as uid", uid);
  two_texts(HostOp::Rename, "sticky/theirs", "sticky/ours");
  check(ask_as(uid) == -EPERM, "renamed another's in a sticky directory as uid", uid);
  request(0, HostOp::Open, "sticky/theirs").flags = O_RDONLY | O_NOATIME;
  check(ask_as(uid) == -EPERM, "hid a read of another's as uid", uid);
}

}  // namespace

void beyond_user() {
  boot_done();
  for (const std::uint32_t uid : {0U, 1000U, 4711U, ~0U}) {
    try_capabilities(uid, "open/mine");
    try_foreign(uid, "root-only");
    try_directories(uid);
  }
}

void beyond_root() {
  boot_done();
  for (const std::uint32_t uid : {0U, 1000U, ~0U}) {
    try_capabilities(uid, "root-only");
    try_foreign(uid, "open/only-mine");
  }
}

}  // namespace hostile
