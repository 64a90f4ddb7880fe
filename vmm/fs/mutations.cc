// SPDX-License-Identifier: Apache-2.0
// The file service's operations that change names and metadata. Each works on (parent directory,
// last component), so that no symlink is ever followed.
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

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
  return 0;
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
  if (::mkdirat(target.parent.fd, target.parent.name.c_str(), request.mode & 07777) != 0) {
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
  constexpr std::uint32_t kRenameFlags = RENAME_NOREPLACE | RENAME_EXCHANGE;
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
  const bool renames = request.op == abi::HostOp::Rename;
  if (read_only(from.base.tree)) {
    return -EROFS;
  }
  // Not glibc's renameat2: without flags it makes another call, which the monitor's filter lacks.
  const long done =
      renames ? ::syscall(SYS_renameat2, from.parent.fd, from.parent.name.c_str(), to.parent.fd,
                          to.parent.name.c_str(), request.flags & kRenameFlags)
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

std::int64_t FileService::set_metadata(const abi::RequestSlot& request, std::span<std::byte> bounce,
                                       FileAnswer& answer) {
  const BaseOrErrno base = base_of(request.handle);
  const auto path = copy_path(bounce, 0, request.path_length);
  if (base.os_errno != 0 || !path) {
    return base.os_errno != 0 ? -base.os_errno : -EINVAL;
  }
  if (read_only(base.tree)) {
    return -EROFS;
  }
  Opened opened;
  if (!path->empty()) {
    opened = open_beneath(base.base, *path, O_PATH, 0);
    if (!opened.fd) {
      return answer_failure(opened.os_errno, base.base, *path, bounce, answer.reply);
    }
    abi::FileAttr attr{};
    if (const int error = attributes_of(opened.fd.get(), attr); error != 0) {
      return -error;
    }
    if (S_ISLNK(attr.mode) && (request.flags & abi::kNoFollow) == 0) {
      return answer_failure(ELOOP, base.base, *path, bounce, answer.reply);
    }
  }
  const int fd = opened.fd ? opened.fd.get() : base.base.fd;
  int error = 0;
  if (request.op == abi::HostOp::SetMode) {
    error = change_mode(fd, base.base, *path, request.mode);
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
