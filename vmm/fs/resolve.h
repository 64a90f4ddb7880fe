// SPDX-License-Identifier: Apache-2.0
// Paths beneath a granted tree. Nothing here ever follows a symlink, leaves the tree, or crosses a
// mount unless the tree was granted with what is mounted below it.
#pragma once

#include <linux/openat2.h>
#include <sys/stat.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "runhl/abi/ring.h"
#include "runhl/base/unique_fd.h"

namespace runhl::vmm::fs {

/// Where a relative path starts.
struct Base {
  int fd = -1;
  bool cross_mounts = false;
};

/// Copies a path out of the guest's buffer; none if it is not a clean relative path: a NUL, a
/// leading or doubled '/', an empty, "." or ".." component, more than kMaxPath - 1 bytes, or a
/// range outside the buffer. An empty path is clean: the base itself.
std::optional<std::string> copy_path(std::span<const std::byte> bounce, std::uint64_t offset,
                                     std::uint32_t length);
bool is_clean_path(std::string_view path);

/// openat2, again where a rename or a mount raced with the resolution. A descriptor, or -errno. An
/// empty path is the directory itself.
int open_again(int directory, const std::string& path, open_how how);

struct Opened {
  UniqueFd fd;
  int os_errno = 0;  // != 0: no descriptor
};

/// openat2 with the rules above; `flags` are O_*; O_CLOEXEC, O_NOFOLLOW and O_NOCTTY are added.
/// An empty path opens the base directory itself again. ELOOP: a symlink on the way, or at the end
/// (except O_PATH, which then opens the symlink). EXDEV: it would leave the tree.
Opened open_beneath(const Base& base, const std::string& path, std::uint64_t flags,
                    std::uint32_t mode);

/// Parent directory (O_PATH) and last component of a non-empty path.
struct Parent {
  UniqueFd owned;
  int fd = -1;
  std::string name;
  int os_errno = 0;
};
Parent open_parent(const Base& base, const std::string& path);

/// The first symlink among the components of `path`, for the guest to resolve.
struct FoundLink {
  std::uint32_t start = 0, end = 0;  // its bytes in the path
  std::string target;
  bool served = true;  // false: it lies on a kernel file system
};
std::optional<FoundLink> find_link(const Base& base, const std::string& path);

/// The result for the guest when resolving `path` failed with `os_errno`: -os_errno, and for ELOOP
/// the symlink's place and target in reply and bounce. -ESTALE: the symlink has gone meanwhile;
/// -EACCES: it is not served.
std::int64_t answer_failure(int os_errno, const Base& base, const std::string& path,
                            std::span<std::byte> bounce, abi::RequestReply& reply);

/// statx of an open descriptor as the ABI shows it; errno or 0.
int attributes_of(int fd, abi::FileAttr& attr);

/// The attributes of the components of a walk, for the guest's caches (abi::kAllAttributes).
class ComponentAttributes {
 public:
  ComponentAttributes(std::span<std::byte> bounce, abi::RequestReply& reply)
      : bounce_(bounce), reply_(reply) {}
  /// Those of `base` and of each directory on the way to the path's last name, as far as they are
  /// there. Nothing for a path that has too many.
  void add_directories(const Base& base, const std::string& path);
  void add(const abi::FileAttr& attr);

 private:
  std::span<std::byte> bounce_;
  abi::RequestReply& reply_;
};

/// The mode of what is made in `directory` (any descriptor): `masked`, which the umask took, comes
/// back where the directory has a default ACL (acl(5)). Linux before 6.13 cannot tell: no.
std::uint32_t mode_of_new(int directory, std::uint32_t mode, std::uint32_t masked);

/// statx of a name in a directory, a symlink there not followed. What cannot be told stays zero: a
/// missing name, or one that something is mounted on. False: this host cannot tell mount points.
bool attributes_in(int directory, const char* name, abi::FileAttr& attr);

enum class FileSystemKind : std::uint8_t {
  Plain,
  MayWait,  // a network or a program is behind it: whoever asks may wait for ever
  Kernel,   // proc, sysfs, cgroup, debugfs and their kin, which are never served
};
FileSystemKind file_system_kind(int fd);
inline bool on_kernel_file_system(int fd) {
  return file_system_kind(fd) == FileSystemKind::Kernel;
}
/// Of what was found beneath `base`: only a tree granted with its mounts reaches one.
inline bool is_refused(const Base& base, int fd) {
  return base.cross_mounts && on_kernel_file_system(fd);
}

}  // namespace runhl::vmm::fs
