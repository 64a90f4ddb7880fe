// SPDX-License-Identifier: Apache-2.0
#include "runhl/initrd/directory.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <map>

#include "directory_walk.h"

namespace runhl::initrd {
namespace {

/// Reads a list or value whose size may change between asking and reading.
template <typename F>
Result<std::string> read_sized(const std::string& what, F&& read) {
  for (;;) {
    const ssize_t size = read(nullptr, 0);
    if (size <= 0) {
      return size == 0 || errno == ENOTSUP || errno == ENODATA ? Result<std::string>("")
                                                               : fail_errno(what);
    }
    std::string bytes(static_cast<std::size_t>(size), '\0');
    const ssize_t got = read(bytes.data(), bytes.size());
    if (got >= 0) {
      bytes.resize(static_cast<std::size_t>(got));
      return bytes;
    }
    if (errno != ERANGE) {
      return fail_errno(what);
    }
  }
}

Result<std::vector<Xattr>> read_xattrs(const Visit& at) {
  // By way of /proc: there is no call for a name in an open directory.
  const std::string file = "/proc/self/fd/" + std::to_string(at.parent) + "/" + at.name;
  const bool root = at.name[0] == '\0';
  const std::string list = TRY(read_sized(at.path, [&](char* to, std::size_t size) {
    return root ? ::listxattr(file.c_str(), to, size) : ::llistxattr(file.c_str(), to, size);
  }));
  std::vector<Xattr> xattrs;
  for (std::size_t begin = 0; begin < list.size();) {
    const std::string name = list.c_str() + begin;
    begin += name.size() + 1;
    std::string value = TRY(read_sized(at.path + ": " + name, [&](char* to, std::size_t size) {
      return root ? ::getxattr(file.c_str(), name.c_str(), to, size)
                  : ::lgetxattr(file.c_str(), name.c_str(), to, size);
    }));
    xattrs.push_back({.name = name, .value = std::move(value)});
  }
  return xattrs;
}

Result<std::string> read_target(const Visit& at) {
  std::string target(at.info.stx_size + 1, '\0');
  for (;;) {
    const ssize_t size = ::readlinkat(at.parent, at.name, target.data(), target.size());
    if (size < 0) {
      return fail_errno(at.path);
    }
    if (static_cast<std::size_t>(size) < target.size()) {
      target.resize(static_cast<std::size_t>(size));
      return target;
    }
    target.resize(target.size() * 2);
  }
}

Result<InodeSpec> spec_of(const Visit& at) {
  const struct statx& info = at.info;
  InodeSpec spec{.mode = info.stx_mode,
                 .uid = info.stx_uid,
                 .gid = info.stx_gid,
                 .size = S_ISREG(info.stx_mode) && !at.mount_point ? info.stx_size : 0,
                 .modified = info.stx_mtime.tv_sec,
                 .modified_ns = info.stx_mtime.tv_nsec,
                 .device_major = info.stx_rdev_major,
                 .device_minor = info.stx_rdev_minor};
  if (S_ISLNK(info.stx_mode)) {
    spec.target = TRY(read_target(at));
  }
  spec.xattrs = TRY(read_xattrs(at));
  return spec;
}

}  // namespace

Result<void> DirectorySource::scan() {
  std::map<std::pair<std::uint64_t, std::uint64_t>, InodeNumber> linked;
  return walk_directory(root_, [&](const Visit& at) -> Result<void> {
    const struct statx& info = at.info;
    if (at.path.empty()) {
      tree_.inode(1) = TRY(spec_of(at));
      origins_.resize(1);
      return {};
    }
    const std::pair identity(std::uint64_t{info.stx_dev_major} << 32U | info.stx_dev_minor,
                             info.stx_ino);
    const bool may_link = info.stx_nlink > 1 && !S_ISDIR(info.stx_mode) && !at.mount_point;
    if (const auto known = linked.find(identity); may_link && known != linked.end()) {
      return tree_.add_name(at.path, known->second);
    }
    const InodeNumber inode = tree_.add_inode(TRY(spec_of(at)));
    if (may_link) {
      linked.emplace(identity, inode);
    }
    origins_.resize(inode);
    if (S_ISREG(info.stx_mode)) {
      origins_[inode - 1] = {.path = at.path,
                             .inode = info.stx_ino,
                             .size = info.stx_size,
                             .changed = info.stx_ctime.tv_sec,
                             .changed_ns = info.stx_ctime.tv_nsec};
    }
    return tree_.add_name(at.path, inode);
  });
}

Result<void> DirectorySource::check_same(const Origin& origin, int fd) const {
  struct stat info{};
  if (::fstat(fd, &info) < 0) {
    return fail_errno(origin.path);
  }
  if (!S_ISREG(info.st_mode) || info.st_ino != origin.inode ||
      static_cast<std::uint64_t>(info.st_size) != origin.size ||
      info.st_ctim.tv_sec != origin.changed || info.st_ctim.tv_nsec != origin.changed_ns) {
    return runhl::fail(ErrorCode::Io, origin.path + ": changed while it was read");
  }
  return {};
}

Result<FileSource::Opened> DirectorySource::open(InodeNumber inode) {
  const Origin& origin = origins_[inode - 1];
  open_how how{};
  how.flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOATIME;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  const auto try_open = [&] {
    return static_cast<int>(::syscall(SYS_openat2, root_, origin.path.c_str(), &how, sizeof how));
  };
  UniqueFd fd(try_open());
  if (!fd && errno == EPERM) {  // somebody else's file
    how.flags &= ~std::uint64_t{O_NOATIME};
    fd.reset(try_open());
  }
  if (!fd) {
    return fail_errno(origin.path);
  }
  TRY(check_same(origin, fd.get()));
  return Opened{.fd = std::move(fd), .offset = 0};
}

Result<void> DirectorySource::finish(InodeNumber inode, const Opened& opened) {
  return check_same(origins_[inode - 1], opened.fd.get());
}

}  // namespace runhl::initrd
