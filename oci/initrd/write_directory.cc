// SPDX-License-Identifier: Apache-2.0
#include "runhl/initrd/write_directory.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "archive_file.h"

namespace runhl::initrd {
namespace {

constexpr unsigned kPermissions = 07777;

/// A directory of the tree that was made before.
Result<UniqueFd> open_directory(int root, const std::string& path) {
  open_how how{};
  how.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
  const long fd = ::syscall(SYS_openat2, root, path.empty() ? "." : path.c_str(), &how, sizeof how);
  return fd < 0 ? Result<UniqueFd>(fail_errno("open")) : UniqueFd(static_cast<int>(fd));
}

class DirectoryWriter {
 public:
  DirectoryWriter(const Tree& tree, FileSource& source, int root, Ownership ownership)
      : tree_(tree), source_(source), root_(root), ownership_(ownership) {}

  Result<Unkept> write() {
    for (const auto& [path, inode] : tree_.names()) {
      TRY(with_context(path, put(path, inode)));
    }
    // What is in a directory changes its time, and its mode may keep us out: the deepest first.
    for (auto at = directories_.rbegin(); at != directories_.rend(); ++at) {
      TRY(with_context(*at, finish_directory(std::string(*at))));
    }
    TRY(with_context("the root directory", finish_directory("")));
    return unkept_;
  }

 private:
  Result<void> put(const std::string& path, InodeNumber inode);
  Result<void> make(const char* name, InodeNumber inode);
  Result<void> make_file(const char* name, InodeNumber inode);
  Result<void> make_special(const char* name, const InodeSpec& spec);
  Result<void> set_metadata(int parent, const char* name, const InodeSpec& spec);
  Result<void> set_xattrs(int parent, const char* name, const InodeSpec& spec);
  Result<void> finish_directory(const std::string& path);

  const Tree& tree_;
  FileSource& source_;
  int root_;
  Ownership ownership_;
  Unkept unkept_;
  UniqueFd parent_;
  std::string parent_path_;                                   // of parent_, where there is one
  std::vector<std::string_view> directories_;                 // the outer before the inner
  std::unordered_map<InodeNumber, std::string_view> places_;  // an inode's first name
};

Result<void> DirectoryWriter::put(const std::string& path, InodeNumber inode) {
  if (const std::string_view parent = parent_of(path); !parent_ || parent != parent_path_) {
    parent_path_ = parent;
    parent_ = TRY(open_directory(root_, parent_path_));
  }
  const std::string name(name_of(path));
  const InodeSpec& spec = tree_.inode(inode);
  if (S_ISDIR(spec.mode)) {
    directories_.push_back(path);
    return ::mkdirat(parent_.get(), name.c_str(), 0700) == 0 ? Result<void>{} : fail_errno("mkdir");
  }
  const auto [first, is_first] = places_.emplace(inode, path);
  if (!is_first) {
    return ::linkat(root_, std::string(first->second).c_str(), parent_.get(), name.c_str(), 0) == 0
               ? Result<void>{}
               : fail_errno("link");
  }
  TRY(make(name.c_str(), inode));
  return set_metadata(parent_.get(), name.c_str(), spec);
}

Result<void> DirectoryWriter::make(const char* name, InodeNumber inode) {
  const InodeSpec& spec = tree_.inode(inode);
  if (S_ISREG(spec.mode)) {
    return make_file(name, inode);
  }
  if (S_ISLNK(spec.mode)) {
    return ::symlinkat(spec.target.c_str(), parent_.get(), name) == 0 ? Result<void>{}
                                                                      : fail_errno("symlink");
  }
  return make_special(name, spec);
}

Result<void> DirectoryWriter::make_file(const char* name, InodeNumber inode) {
  constexpr int kNew = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  const UniqueFd out(::openat(parent_.get(), name, kNew, 0600));
  if (!out) {
    return fail_errno("create");
  }
  const std::uint64_t size = tree_.inode(inode).size;
  if (size == 0) {
    return {};
  }
  const FileSource::Opened from = TRY(source_.open(inode));
  ArchiveFile file(out.get());
  TRY(file.copy(from.fd.get(), from.offset, size));
  TRY(file.finish());
  return source_.finish(inode, from);
}

Result<void> DirectoryWriter::make_special(const char* name, const InodeSpec& spec) {
  const bool is_device = S_ISCHR(spec.mode) || S_ISBLK(spec.mode);
  const bool without = is_device && ownership_ == Ownership::Callers;
  unkept_.devices += without ? 1U : 0U;
  const mode_t kind = without ? S_IFREG : spec.mode & S_IFMT;
  return ::mknodat(parent_.get(), name, kind | 0600,
                   ::makedev(spec.device_major, spec.device_minor)) == 0
             ? Result<void>{}
             : fail_errno("mknod");
}

Result<void> DirectoryWriter::set_metadata(int parent, const char* name, const InodeSpec& spec) {
  if (ownership_ == Ownership::AsTold &&
      ::fchownat(parent, name, spec.uid, spec.gid, AT_SYMLINK_NOFOLLOW) < 0) {
    return fail_errno("chown");
  }
  // After the owner, whose change takes setuid and capabilities away.
  if (!S_ISLNK(spec.mode) && ::fchmodat(parent, name, spec.mode & kPermissions, 0) < 0) {
    return fail_errno("chmod");
  }
  TRY(set_xattrs(parent, name, spec));
  const timespec time{.tv_sec = spec.modified, .tv_nsec = static_cast<long>(spec.modified_ns)};
  const std::array times{time, time};
  return ::utimensat(parent, name, times.data(), AT_SYMLINK_NOFOLLOW) == 0 ? Result<void>{}
                                                                           : fail_errno("utimens");
}

Result<void> DirectoryWriter::set_xattrs(int parent, const char* name, const InodeSpec& spec) {
  if (spec.xattrs.empty()) {
    return {};
  }
  // By a path whose last part alone may be a symlink: there is no setxattrat before Linux 6.13.
  const std::string path = "/proc/self/fd/" + std::to_string(parent) + "/" + name;
  for (const Xattr& xattr : spec.xattrs) {
    if (::lsetxattr(path.c_str(), xattr.name.c_str(), xattr.value.data(), xattr.value.size(), 0) ==
        0) {
      continue;
    }
    if (errno != EOPNOTSUPP && errno != EPERM) {
      return fail_errno(xattr.name);
    }
    ++unkept_.xattrs;  // the file system has none, or this user may not set it
  }
  return {};
}

Result<void> DirectoryWriter::finish_directory(const std::string& path) {
  const UniqueFd parent = TRY(open_directory(root_, std::string(parent_of(path))));
  const std::string name = path.empty() ? "." : std::string(name_of(path));
  return set_metadata(parent.get(), name.c_str(), tree_.inode(tree_.find(path)));
}

}  // namespace

Result<Unkept> write_directory(const Tree& tree, FileSource& source, int root,
                               Ownership ownership) {
  return DirectoryWriter(tree, source, root, ownership).write();
}

}  // namespace runhl::initrd
