// SPDX-License-Identifier: Apache-2.0
// The file service's extended attributes. Linux before 6.13 has no such call that takes a name
// beneath a directory and works on what cannot be opened: there the file is opened for it.
#include <fcntl.h>
#include <linux/limits.h>
#include <linux/xattr.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <string_view>

#include "fs/file_service.h"

namespace runhl::vmm::fs {

// One checked request, its bytes copied.
struct XattrCall {
  abi::HostOp op;
  const char* name;
  std::span<std::byte> value;
  int flags;
};

namespace {

// Linux 6.13, x86-64; younger than Debian 12's headers.
constexpr long kSetxattrat = 463, kGetxattrat = 464, kListxattrat = 465, kRemovexattrat = 466;
struct XattrArguments {  // struct xattr_args
  alignas(8) std::uint64_t value;
  std::uint32_t size;
  std::uint32_t flags;
};
static_assert(sizeof(XattrArguments) == 16);

bool is_served(std::string_view name) {
  return name.starts_with("user.") || name == "security.capability" ||
         name == "system.posix_acl_access" || name == "system.posix_acl_default";
}

// What a file system answers that knows the name's family but may not, or does not, keep it here.
int refusal(std::string_view name, abi::HostOp op) {
  const bool known = name.starts_with("security.") || name.starts_with("trusted.");
  if (!known) {
    return EOPNOTSUPP;
  }
  return op == abi::HostOp::GetXattr ? ENODATA : EPERM;
}

std::int64_t errno_or(ssize_t result) {
  return result < 0 ? -errno : result;
}

// On a name in a directory, a symlink there not followed. -ENOSYS: not on this host.
std::int64_t call_on_name(int directory, const char* name, const XattrCall& call) {
  // SAFETY: the number of a buffer's address, as the call wants it.
  XattrArguments arguments{.value = reinterpret_cast<std::uint64_t>(call.value.data()),
                           .size = static_cast<std::uint32_t>(call.value.size()),
                           .flags = static_cast<std::uint32_t>(call.flags)};
  switch (call.op) {
    case abi::HostOp::GetXattr:
      return errno_or(::syscall(kGetxattrat, directory, name, AT_SYMLINK_NOFOLLOW, call.name,
                                &arguments, sizeof(arguments)));
    case abi::HostOp::SetXattr:
      return errno_or(::syscall(kSetxattrat, directory, name, AT_SYMLINK_NOFOLLOW, call.name,
                                &arguments, sizeof(arguments)));
    case abi::HostOp::ListXattr:
      return errno_or(::syscall(kListxattrat, directory, name, AT_SYMLINK_NOFOLLOW,
                                call.value.data(), call.value.size()));
    default:
      return errno_or(::syscall(kRemovexattrat, directory, name, AT_SYMLINK_NOFOLLOW, call.name));
  }
}

std::int64_t call_on_open(int fd, const XattrCall& call) {
  switch (call.op) {
    case abi::HostOp::GetXattr:
      return errno_or(::fgetxattr(fd, call.name, call.value.data(), call.value.size()));
    case abi::HostOp::SetXattr:
      return errno_or(::fsetxattr(fd, call.name, call.value.data(), call.value.size(), call.flags));
    case abi::HostOp::ListXattr:
      // SAFETY: bytes as characters.
      return errno_or(
          ::flistxattr(fd, reinterpret_cast<char*>(call.value.data()), call.value.size()));
    default:
      return errno_or(::fremovexattr(fd, call.name));
  }
}

// Opens the file for the older calls: a regular file or directory that the caller may read or
// write. Others have none that programs could see.
std::int64_t call_by_opening(int path_fd, const Base& base, const std::string& path,
                             const XattrCall& call) {
  abi::FileAttr attr{};
  if (const int error = attributes_of(path_fd, attr); error != 0) {
    return -error;
  }
  if (!S_ISREG(attr.mode) && !S_ISDIR(attr.mode)) {
    return call.op == abi::HostOp::ListXattr ? 0 : -EOPNOTSUPP;
  }
  Opened opened = open_beneath(base, path, O_RDONLY | O_NONBLOCK, 0);
  if (!opened.fd && opened.os_errno == EACCES && S_ISREG(attr.mode)) {
    opened = open_beneath(base, path, O_WRONLY | O_NONBLOCK, 0);
  }
  return opened.fd ? call_on_open(opened.fd.get(), call) : -opened.os_errno;
}

// Drops the names that are not served. The text is ours, so its size can be trusted.
std::size_t keep_served(std::span<char> names) {
  std::size_t kept = 0;
  for (std::size_t at = 0; at < names.size();) {
    const std::size_t length = ::strnlen(&names[at], names.size() - at);
    if (is_served({&names[at], length}) && at + length < names.size()) {
      std::memmove(&names[kept], &names[at], length + 1);
      kept += length + 1;
    }
    at += length + 1;
  }
  return kept;
}

}  // namespace

// Open handles take the calls for descriptors; what is only known by its place takes those for
// names: O_PATH descriptors have none of their own.
std::int64_t FileService::call_for(abi::Handle handle, const NamedFile& file,
                                   const XattrCall& call) {
  const EntryRef entry = entry_of(handle);
  const bool itself = file.path.empty();
  if (itself && entry != nullptr && entry->access != O_PATH) {
    return call_on_open(file.fd, call);
  }
  Parent parent;
  if (!itself) {
    parent = open_parent(file.base.base, file.path);
  } else if (entry == nullptr && !trees_[file.base.tree].directory) {
    parent.fd = trees_[file.base.tree].parent.get();
    parent.name = trees_[file.base.tree].name;
  } else if (entry == nullptr || entry->directory) {
    parent.fd = file.fd;
    parent.name = ".";
  } else {
    return -EBADF;
  }
  if (parent.os_errno != 0) {
    return -parent.os_errno;
  }
  const std::int64_t result = call_on_name(parent.fd, parent.name.c_str(), call);
  return result == -ENOSYS ? call_by_opening(file.fd, {parent.fd, true}, parent.name, call)
                           : result;
}

// The file that a request names by a path or, where that is empty, by its handle.
std::int64_t FileService::find_named(const abi::RequestSlot& request, std::span<std::byte> bounce,
                                     abi::RequestReply& reply, NamedFile& file) const {
  file.base = base_of(request.handle);
  const auto path = copy_path(bounce, 0, request.path_length);
  if (file.base.os_errno != 0 || !path) {
    return file.base.os_errno != 0 ? -file.base.os_errno : -EINVAL;
  }
  file.path = *path;
  file.fd = file.base.base.fd;
  if (path->empty()) {
    return 0;
  }
  Opened opened = open_beneath(file.base.base, *path, O_PATH, 0);
  if (!opened.fd) {
    return answer_failure(opened.os_errno, file.base.base, *path, bounce, reply);
  }
  if (is_refused(file.base.base, opened.fd.get())) {
    return -EACCES;
  }
  abi::FileAttr attr{};
  if (const int error = attributes_of(opened.fd.get(), attr); error != 0) {
    return -error;
  }
  if (S_ISLNK(attr.mode) && (request.flags & abi::kNoFollow) == 0) {
    return answer_failure(ELOOP, file.base.base, *path, bounce, reply);
  }
  file.owned = std::move(opened.fd);
  file.fd = file.owned.get();
  return 0;
}

std::int64_t FileService::xattr(const abi::RequestSlot& request, std::span<std::byte> bounce,
                                FileAnswer& answer) {
  const bool list = request.op == abi::HostOp::ListXattr;
  const bool changes =
      request.op == abi::HostOp::SetXattr || request.op == abi::HostOp::RemoveXattr;
  const std::uint64_t head = std::uint64_t{request.path_length} + request.path2_length;
  const bool has_value = request.op == abi::HostOp::SetXattr;
  if (request.path_length >= abi::kMaxPath || request.length > XATTR_SIZE_MAX ||
      head + (has_value ? request.length : 0) > bounce.size() ||
      (request.mode & ~std::uint32_t{XATTR_CREATE | XATTR_REPLACE}) != 0) {
    return -EINVAL;
  }
  if (!list && (request.path2_length == 0 || request.path2_length > XATTR_NAME_MAX)) {
    return -ERANGE;
  }
  // Name and value are copied before anything else: the buffer is the guest's to change.
  std::string name(list ? 0 : request.path2_length, '\0');
  std::memcpy(name.data(), bounce.data() + request.path_length, name.size());
  std::vector<std::byte> value(request.op == abi::HostOp::RemoveXattr ? 0 : request.length);
  if (has_value && !value.empty()) {
    std::memcpy(value.data(), bounce.data() + head, value.size());
  }
  if (name.find('\0') != std::string::npos) {
    return -EINVAL;
  }
  NamedFile file;
  if (const std::int64_t result = find_named(request, bounce, answer.reply, file); result != 0) {
    return result;
  }
  if (changes && read_only(file.base.tree)) {
    return -EROFS;
  }
  if (!list && !is_served(name)) {
    return -refusal(name, request.op);
  }
  if (list) {  // the names that are not served take room on the way
    value.resize(XATTR_LIST_MAX);
  }
  const XattrCall call{request.op, name.c_str(), value, static_cast<int>(request.mode)};
  std::int64_t result = call_for(request.handle, file, call);
  if (result < 0 || changes) {
    return result;
  }
  if (list) {
    // SAFETY: bytes as characters.
    result = static_cast<std::int64_t>(
        keep_served({reinterpret_cast<char*>(value.data()), static_cast<std::size_t>(result)}));
    if (request.length != 0 && static_cast<std::uint64_t>(result) > request.length) {
      return -ERANGE;
    }
  }
  if (request.length != 0) {
    answer.reply.length = static_cast<std::uint32_t>(result);
    std::memcpy(bounce.data(), value.data(), answer.reply.length);
  }
  return result;
}

}  // namespace runhl::vmm::fs
