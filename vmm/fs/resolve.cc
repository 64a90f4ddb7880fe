// SPDX-License-Identifier: Apache-2.0
#include "fs/resolve.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "runhl/vmm/machine.h"

namespace runhl::vmm {

namespace fs {
namespace {

abi::Timestamp timestamp_of(const statx_timestamp& time) {
  return {.seconds = time.tv_sec, .nanoseconds = time.tv_nsec, .reserved = 0};
}

}  // namespace

bool is_clean_path(std::string_view path) {
  if (path.size() >= abi::kMaxPath || path.find('\0') != std::string_view::npos) {
    return false;
  }
  if (path.empty()) {
    return true;
  }
  for (std::size_t start = 0;;) {
    const std::size_t slash = path.find('/', start);
    const std::string_view component = path.substr(start, slash - start);
    if (component.empty() || component == "." || component == "..") {
      return false;
    }
    if (slash == std::string_view::npos) {
      return true;
    }
    start = slash + 1;
  }
}

std::optional<std::string> copy_path(std::span<const std::byte> bounce, std::uint64_t offset,
                                     std::uint32_t length) {
  if (length >= abi::kMaxPath || offset > bounce.size() || length > bounce.size() - offset) {
    return std::nullopt;
  }
  std::string path(length, '\0');
  std::memcpy(path.data(), bounce.data() + offset, length);  // the one read; checked from here on
  if (!is_clean_path(path)) {
    return std::nullopt;
  }
  return path;
}

int open_again(int directory, const std::string& path, open_how how) {
  constexpr int kRetries = 4;
  const char* const name = path.empty() ? "." : path.c_str();
  for (int attempt = 0;; ++attempt) {
    const long fd = ::syscall(SYS_openat2, directory, name, &how, sizeof(how));
    if (fd >= 0) {
      return static_cast<int>(fd);
    }
    if (errno != EAGAIN || attempt == kRetries) {
      return -errno;
    }
  }
}

Opened open_beneath(const Base& base, const std::string& path, std::uint64_t flags,
                    std::uint32_t mode) {
  open_how how{};
  how.flags = flags | O_CLOEXEC | O_NOFOLLOW | ((flags & O_PATH) != 0 ? 0U : O_NOCTTY);
  how.mode =
      (flags & (O_CREAT | (O_TMPFILE & ~std::uint64_t{O_DIRECTORY}))) != 0 ? mode & 07777 : 0;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS |
                (base.cross_mounts ? 0U : RESOLVE_NO_XDEV);
  const int fd = open_again(base.fd, path, how);
  return fd >= 0 ? Opened{UniqueFd{fd}, 0} : Opened{UniqueFd{}, -fd};
}

Parent open_parent(const Base& base, const std::string& path) {
  Parent parent;
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) {
    parent.fd = base.fd;
    parent.name = path;
    return parent;
  }
  Opened opened = open_beneath(base, path.substr(0, slash), O_PATH | O_DIRECTORY, 0);
  if (!opened.fd) {
    parent.os_errno = opened.os_errno;
    return parent;
  }
  parent.owned = std::move(opened.fd);
  parent.fd = parent.owned.get();
  parent.name = path.substr(slash + 1);
  return parent;
}

std::optional<FoundLink> find_link(const Base& base, const std::string& path) {
  for (std::size_t start = 0; start < path.size();) {
    const std::size_t end = std::min(path.find('/', start), path.size());
    const Opened opened = open_beneath(base, path.substr(0, end), O_PATH, 0);
    if (!opened.fd) {
      return std::nullopt;
    }
    std::array<char, abi::kMaxPath> target{};
    const ssize_t length = ::readlinkat(opened.fd.get(), "", target.data(), target.size());
    if (length >= 0) {
      return FoundLink{static_cast<std::uint32_t>(start), static_cast<std::uint32_t>(end),
                       std::string(target.data(), static_cast<std::size_t>(length)),
                       !is_refused(base, opened.fd.get())};
    }
    start = end + 1;
  }
  return std::nullopt;
}

std::int64_t answer_failure(int os_errno, const Base& base, const std::string& path,
                            std::span<std::byte> bounce, abi::RequestReply& reply) {
  // O_DIRECTORY with O_NOFOLLOW says ENOTDIR of a symlink.
  if (os_errno != ELOOP && os_errno != ENOTDIR) {
    return -os_errno;
  }
  const std::optional<FoundLink> link = find_link(base, path);
  if (!link) {
    return os_errno == ELOOP ? -ESTALE : -ENOTDIR;
  }
  if (!link->served) {
    return -EACCES;
  }
  reply.link_start = link->start;
  reply.link_end = link->end;
  reply.length = static_cast<std::uint32_t>(link->target.size());
  std::memcpy(bounce.data(), link->target.data(), link->target.size());
  return -ELOOP;
}

namespace {

void fill(const struct statx& st, abi::FileAttr& attr) {
  attr.inode = st.stx_ino;
  attr.device = makedev(st.stx_dev_major, st.stx_dev_minor);
  attr.size = st.stx_size;
  attr.blocks = st.stx_blocks;
  attr.mode = st.stx_mode;
  attr.links = st.stx_nlink;
  attr.uid = st.stx_uid;
  attr.gid = st.stx_gid;
  attr.rdev_major = st.stx_rdev_major;
  attr.rdev_minor = st.stx_rdev_minor;
  attr.block_size = st.stx_blksize;
  attr.attributes = static_cast<std::uint32_t>(st.stx_attributes);
  attr.attributes_mask = static_cast<std::uint32_t>(st.stx_attributes_mask);
  attr.accessed = timestamp_of(st.stx_atime);
  attr.modified = timestamp_of(st.stx_mtime);
  attr.changed = timestamp_of(st.stx_ctime);
  attr.born = (st.stx_mask & STATX_BTIME) != 0 ? timestamp_of(st.stx_btime) : abi::Timestamp{};
}

}  // namespace

int attributes_of(int fd, abi::FileAttr& attr) {
  struct statx st{};
  if (::statx(fd, "", AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS | STATX_BTIME, &st) !=
      0) {
    return errno;
  }
  fill(st, attr);
  return 0;
}

bool attributes_in(int directory, const char* name, abi::FileAttr& attr) {
  constexpr std::uint64_t kMountRoot = 0x2000;  // STATX_ATTR_MOUNT_ROOT, Linux 5.8
  struct statx st{};
  if (::statx(directory, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT,
              STATX_BASIC_STATS | STATX_BTIME, &st) != 0) {
    return true;
  }
  if ((st.stx_attributes_mask & kMountRoot) == 0) {
    return false;
  }
  if ((st.stx_attributes & kMountRoot) == 0) {
    fill(st, attr);
  }
  return true;
}

void ComponentAttributes::add(const abi::FileAttr& attr) {
  if (reply_.count < abi::kMaxAttributes) {
    std::memcpy(&bounce_[abi::kAttributesOffset + reply_.count * sizeof(attr)], &attr,
                sizeof(attr));
    ++reply_.count;
  }
}

void ComponentAttributes::add_directories(const Base& base, const std::string& path) {
  const auto slashes = static_cast<std::size_t>(std::count(path.begin(), path.end(), '/'));
  abi::FileAttr attr{};
  if (slashes + 2 >= abi::kMaxAttributes || attributes_of(base.fd, attr) != 0) {
    return;
  }
  add(attr);
  Base at = base;
  UniqueFd owned;
  for (std::size_t start = 0, slash = 0; (slash = path.find('/', start)) != std::string::npos;
       start = slash + 1) {
    Opened next = open_beneath(at, path.substr(start, slash - start), O_PATH | O_DIRECTORY, 0);
    if (!next.fd || attributes_of(next.fd.get(), attr) != 0) {
      return;
    }
    add(attr);
    owned = std::move(next.fd);
    at.fd = owned.get();
  }
}

std::uint32_t mode_of_new(int directory, std::uint32_t mode, std::uint32_t masked) {
  constexpr long kGetxattrat = 464;  // Linux 6.13, x86-64
  struct {
    std::uint64_t value = 0;
    std::uint32_t size = 0, flags = 0;
  } only_size;
  if ((masked & 0777) == 0 || ::syscall(kGetxattrat, directory, ".", 0, "system.posix_acl_default",
                                        &only_size, sizeof(only_size)) <= 0) {
    return mode & 07777;
  }
  return (mode | (masked & 0777)) & 07777;
}

FileSystemKind file_system_kind(int fd) {
  constexpr std::uint32_t kEfivarfs = 0xde5e81e4;  // linux/magic.h has it from 5.15 on only
  constexpr std::array<std::uint32_t, 14> kKernels = {
      PROC_SUPER_MAGIC, SYSFS_MAGIC,    CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC, DEBUGFS_MAGIC,
      TRACEFS_MAGIC,    BPF_FS_MAGIC,   SECURITYFS_MAGIC,   SELINUX_MAGIC,       SMACK_MAGIC,
      kEfivarfs,        PSTOREFS_MAGIC, DEVPTS_SUPER_MAGIC, NSFS_MAGIC};
  struct statfs buffer{};
  if (::fstatfs(fd, &buffer) != 0) {
    return FileSystemKind::Kernel;  // what cannot be told is not served
  }
  const auto type = static_cast<std::uint32_t>(buffer.f_type);
  if (std::find(kKernels.begin(), kKernels.end(), type) != kKernels.end()) {
    return FileSystemKind::Kernel;
  }
  return may_wait_behind(type) ? FileSystemKind::MayWait : FileSystemKind::Plain;
}

}  // namespace fs

bool may_wait_behind(std::uint64_t type) {
  // linux/magic.h lacks some of them.
  constexpr std::uint32_t kPlan9 = 0x01021997, kGfs2 = 0x01161970, kLustre = 0x0bd00bd0,
                          kVboxsf = 0x786f4256, kVmhgfs = 0xbacbacbc;
  constexpr std::array<std::uint32_t, 16> kWaiting = {FUSE_SUPER_MAGIC,
                                                      NFS_SUPER_MAGIC,
                                                      SMB_SUPER_MAGIC,
                                                      CIFS_SUPER_MAGIC,
                                                      SMB2_SUPER_MAGIC,
                                                      kPlan9,
                                                      CEPH_SUPER_MAGIC,
                                                      AFS_SUPER_MAGIC,
                                                      AFS_FS_MAGIC,
                                                      CODA_SUPER_MAGIC,
                                                      OCFS2_SUPER_MAGIC,
                                                      AUTOFS_SUPER_MAGIC,
                                                      kGfs2,
                                                      kLustre,
                                                      kVboxsf,
                                                      kVmhgfs};
  return std::find(kWaiting.begin(), kWaiting.end(), static_cast<std::uint32_t>(type)) !=
         kWaiting.end();
}

}  // namespace runhl::vmm
