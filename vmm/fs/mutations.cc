// SPDX-License-Identifier: Apache-2.0
// The file service's operations that change names and metadata. Each works on (parent directory,
// last component), so that no symlink is ever followed.
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <iterator>

#include "fs/file_service.h"

namespace runhl::vmm::fs {
namespace {

constexpr long kFchmodat2 = 452;  // Linux 6.6, x86-64; younger than Debian 12's headers

// After a change of the name: the object's attributes, for the guest's caches. The change is done
// whatever this finds.
void fill_attributes(const Parent& parent, abi::FileAttr& attr) {
  const Opened opened = open_beneath({parent.fd, true}, parent.name, O_PATH, 0);
  if (opened.fd) {
    (void)attributes_of(opened.fd.get(), attr);
  }
}

// chmod of what an O_PATH descriptor names. Before 6.6 there is no such call: the file is opened
// for reading instead, which fails where the caller may not read it.
int change_mode(int path_fd, const Base& base, const std::string& path, std::uint32_t mode) {
  if (::syscall(kFchmodat2, path_fd, "", mode & 07777, AT_EMPTY_PATH) == 0) {
    return 0;
  }
  if (errno != ENOSYS) {
    return errno;
  }
  const Opened opened = open_beneath(base, path, O_RDONLY | O_NONBLOCK, 0);
  if (!opened.fd) {
    return opened.os_errno;
  }
  return ::fchmod(opened.fd.get(), mode & 07777) == 0 ? 0 : errno;
}

int change_times(int fd, const std::array<abi::Timestamp, 2>& wanted) {
  std::array<timespec, 2> times{};
  for (std::size_t i = 0; i < times.size(); ++i) {
    times[i].tv_sec = wanted[i].seconds;
    times[i].tv_nsec = wanted[i].nanoseconds;
  }
  return ::utimensat(fd, "", times.data(), AT_EMPTY_PATH) == 0 ? 0 : errno;
}

}  // namespace

std::int64_t FileService::locate(abi::Handle handle, std::span<std::byte> bounce,
                                 std::uint64_t offset, std::uint32_t length,
                                 abi::RequestReply& reply, Target& target) const {
  target.base = base_of(handle);
  const auto path = copy_path(bounce, offset, length);
  if (target.base.os_errno != 0 || !path || path->empty()) {
    return target.base.os_errno != 0 ? -target.base.os_errno : -EINVAL;
  }
  target.parent = open_parent(target.base.base, *path);
  if (target.parent.os_errno != 0) {
    return answer_failure(target.parent.os_errno, target.base.base, *path, bounce, reply);
  }
  return is_refused(target.base.base, target.parent.fd) ? -EACCES : 0;
}

// A read-only tree: what exists or is missing comes before EROFS, as on Linux.
std::int64_t FileService::locate_for_change(const abi::RequestSlot& request,
                                            std::span<std::byte> bounce, abi::RequestReply& reply,
                                            Change change, Target& target) const {
  const std::int64_t result = locate(request.handle, bounce, 0, request.path_length, reply, target);
  if (result != 0 || !read_only(target.base.tree)) {
    return result;
  }
  const bool exists =
      static_cast<bool>(open_beneath({target.parent.fd, true}, target.parent.name, O_PATH, 0).fd);
  if ((change == Change::Create) == exists) {
    return exists ? -EEXIST : -ENOENT;
  }
  return -EROFS;
}

std::int64_t FileService::make_dir(const abi::RequestSlot& request, std::span<std::byte> bounce,
                                   FileAnswer& answer) {
  Target target;
  const std::int64_t result =
      locate_for_change(request, bounce, answer.reply, Change::Create, target);
  if (result != 0) {
    return result;
  }
  const std::uint32_t mode = mode_of_new(target.parent.fd, request.mode, request.masked);
  if (::mkdirat(target.parent.fd, target.parent.name.c_str(), mode) != 0) {
    return -errno;
  }
  fill_attributes(target.parent, answer.reply.attr);
  return 0;
}

std::int64_t FileService::unlink(const abi::RequestSlot& request, std::span<std::byte> bounce,
                                 FileAnswer& answer) {
  Target target;
  const std::int64_t result =
      locate_for_change(request, bounce, answer.reply, Change::Remove, target);
  if (result != 0) {
    return result;
  }
  const int flags = (request.flags & abi::kRemoveDir) != 0 ? AT_REMOVEDIR : 0;
  return ::unlinkat(target.parent.fd, target.parent.name.c_str(), flags) == 0 ? 0 : -errno;
}

std::int64_t FileService::rename_or_link(const abi::RequestSlot& request,
                                         std::span<std::byte> bounce, FileAnswer& answer) {
  constexpr std::uint32_t kRenameFlags = RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT;
  const bool renames = request.op == abi::HostOp::Rename;
  if (renames && (request.flags & ~kRenameFlags) != 0) {
    return -EINVAL;
  }
  Target from;
  Target to;
  std::int64_t result = locate(request.handle, bounce, 0, request.path_length, answer.reply, from);
  if (result != 0) {
    return result;
  }
  result =
      locate(request.handle2, bounce, request.path_length, request.path2_length, answer.reply, to);
  if (result != 0) {
    answer.reply.link_start |= abi::kSecondPath;
    return result;
  }
  if (from.base.tree != to.base.tree) {
    return -EXDEV;  // two grants are two mounts, also where the host has them on one device
  }
  if (read_only(from.base.tree)) {
    return -EROFS;
  }
  // Not glibc's renameat2: without flags it makes another call, which the monitor's filter lacks.
  const long done = renames ? ::syscall(SYS_renameat2, from.parent.fd, from.parent.name.c_str(),
                                        to.parent.fd, to.parent.name.c_str(), request.flags)
                            : ::linkat(from.parent.fd, from.parent.name.c_str(), to.parent.fd,
                                       to.parent.name.c_str(), 0);
  if (done != 0) {
    return -errno;
  }
  fill_attributes(to.parent, answer.reply.attr);
  return 0;
}

std::int64_t FileService::symlink(const abi::RequestSlot& request, std::span<std::byte> bounce,
                                  FileAnswer& answer) {
  // The target is any text: nobody on the host resolves it.
  if (request.path2_length == 0 || request.path2_length >= abi::kMaxPath) {
    return request.path2_length == 0 ? -ENOENT : -ENAMETOOLONG;
  }
  if (request.path_length >= abi::kMaxPath) {
    return -EINVAL;
  }
  std::string text(request.path2_length, '\0');
  std::memcpy(text.data(), bounce.data() + request.path_length, text.size());
  if (text.find('\0') != std::string::npos) {
    return -EINVAL;
  }
  Target target;
  const std::int64_t result =
      locate_for_change(request, bounce, answer.reply, Change::Create, target);
  if (result != 0) {
    return result;
  }
  if (::symlinkat(text.c_str(), target.parent.fd, target.parent.name.c_str()) != 0) {
    return -errno;
  }
  fill_attributes(target.parent, answer.reply.attr);
  return 0;
}

std::int64_t FileService::make_node(const abi::RequestSlot& request, std::span<std::byte> bounce,
                                    FileAnswer& answer) {
  constexpr std::uint32_t kTypes[] = {S_IFREG, S_IFIFO, S_IFSOCK, S_IFCHR, S_IFBLK};
  const std::uint32_t type = request.mode & S_IFMT;
  if (std::find(std::begin(kTypes), std::end(kTypes), type) == std::end(kTypes)) {
    return type == S_IFDIR ? -EPERM : -EINVAL;
  }
  Target target;
  const std::int64_t result =
      locate_for_change(request, bounce, answer.reply, Change::Create, target);
  if (result != 0) {
    return result;
  }
  // A device needs CAP_MKNOD, which the ceiling may not have; then the host refuses.
  const bool device = type == S_IFCHR || type == S_IFBLK;
  const dev_t number = device ? makedev(request.rdev_major, request.rdev_minor) : 0;
  const std::uint32_t mode = mode_of_new(target.parent.fd, request.mode, request.masked);
  if (::mknodat(target.parent.fd, target.parent.name.c_str(), type | mode, number) != 0) {
    return -errno;
  }
  fill_attributes(target.parent, answer.reply.attr);
  return 0;
}

std::int64_t FileService::link_handle(const abi::RequestSlot& request, std::span<std::byte> bounce,
                                      FileAnswer& answer) {
  const BaseOrErrno file = base_of(request.handle);
  if (file.os_errno != 0 || request.path_length != 0) {
    return file.os_errno != 0 ? -file.os_errno : -EINVAL;
  }
  Target to;
  const std::int64_t result =
      locate(request.handle2, bounce, 0, request.path2_length, answer.reply, to);
  if (result != 0) {
    answer.reply.link_start |= abi::kSecondPath;
    return result;
  }
  if (file.tree != to.base.tree) {
    return -EXDEV;
  }
  if (read_only(to.base.tree)) {
    return -EROFS;
  }
  if (::linkat(file.base.fd, "", to.parent.fd, to.parent.name.c_str(), AT_EMPTY_PATH) != 0) {
    return -errno;
  }
  fill_attributes(to.parent, answer.reply.attr);
  return 0;
}

std::int64_t FileService::set_metadata(const abi::RequestSlot& request, std::span<std::byte> bounce,
                                       FileAnswer& answer) {
  NamedFile file;
  if (const std::int64_t result = find_named(request, bounce, answer.reply, file); result != 0) {
    return result;
  }
  if (read_only(file.base.tree)) {
    return -EROFS;
  }
  const int fd = file.fd;
  int error = 0;
  if (request.op == abi::HostOp::SetMode) {
    error = change_mode(fd, file.base.base, file.path, request.mode);
  } else if (request.op == abi::HostOp::SetOwner) {
    error = ::fchownat(fd, "", request.uid, request.gid, AT_EMPTY_PATH) == 0 ? 0 : errno;
  } else {
    error = change_times(fd, request.times);
  }
  if (error != 0) {
    return -error;
  }
  (void)attributes_of(fd, answer.reply.attr);  // done all the same
  return 0;
}

}  // namespace runhl::vmm::fs
