// SPDX-License-Identifier: Apache-2.0
// Opening a file of a granted tree: what the guest asked for is checked, opened beneath the tree,
// looked at, and only then given a handle.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "fs/file_service.h"

namespace runhl::vmm::fs {
namespace {

// What a guest may ask of an open; everything else is refused, not passed on.
constexpr std::uint32_t kOpenFlags =
    O_ACCMODE | O_CREAT | O_EXCL | O_TRUNC | O_APPEND | O_DIRECTORY | O_SYNC | O_DSYNC | O_NOATIME |
    O_DIRECT | O_LARGEFILE | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | O_PATH | O_TMPFILE;

bool writes(std::uint32_t flags) {
  return (flags & O_PATH) == 0 &&
         ((flags & O_ACCMODE) != O_RDONLY || (flags & (O_CREAT | O_TRUNC)) != 0);
}

std::string join(const std::string& prefix, const std::string& path) {
  if (prefix.empty() || path.empty()) {
    return prefix + path;
  }
  return prefix + '/' + path;
}

/// A device or socket node: the guest has its own drivers and wants to know the number.
bool is_special(const Base& base, const std::string& path, abi::FileAttr& attr) {
  const Opened node = open_beneath(base, path, O_PATH, 0);
  return node.fd && attributes_of(node.fd.get(), attr) == 0 && !S_ISREG(attr.mode) &&
         !S_ISDIR(attr.mode);
}

/// The answer to an open for writing in a tree that is read-only. Linux answers for what exists
/// first: EEXIST, EISDIR and ENOENT win over EROFS.
std::int64_t refuse_writing(const Base& base, const std::string& path, std::uint32_t flags,
                            std::span<std::byte> bounce, abi::RequestReply& reply) {
  const Opened there = open_beneath(base, path, O_PATH, 0);
  if (!there.fd && there.os_errno != ENOENT) {
    return answer_failure(there.os_errno, base, path, bounce, reply);
  }
  if (!there.fd && (flags & O_CREAT) == 0) {
    return -ENOENT;
  }
  const bool creates_only = (flags & O_ACCMODE) == O_RDONLY && (flags & O_TRUNC) == 0;
  return there.fd && creates_only && (flags & O_EXCL) != 0 ? -EEXIST : -EROFS;
}

}  // namespace

/// An open, copied out of the request and checked.
struct FileService::Opening {
  BaseOrErrno base;
  std::string path;
  std::uint32_t flags = 0;    // O_*
  bool place_only = false;    // a place, not a file
  bool is_file_tree = false;  // the tree is this one file
};

std::int64_t FileService::copy_opening(const abi::RequestSlot& request, std::span<std::byte> bounce,
                                       Opening& opening) const {
  opening.base = base_of(request.handle);
  auto path = copy_path(bounce, 0, request.path_length);
  opening.flags = request.flags & ~(abi::kNoFollow | abi::kAllAttributes | abi::kReadAhead);
  if (opening.base.os_errno != 0) {
    return -opening.base.os_errno;
  }
  const bool slot_is_one =
      request.slot >= abi::kFdInjectedFirst && request.slot <= abi::kFdInjectedLast;
  if (!path || (opening.flags & ~kOpenFlags) != 0 || (request.slot != -1 && !slot_is_one)) {
    return -EINVAL;
  }
  opening.path = *std::move(path);
  opening.place_only = (opening.flags & O_PATH) != 0;
  opening.is_file_tree = opening.path.empty() &&
                         static_cast<std::size_t>(request.handle) < trees_.size() &&
                         !trees_[opening.base.tree].directory;
  return 0;
}

Opened FileService::open_on_host(const Opening& opening, const abi::RequestSlot& request) const {
  const Base& base = opening.base.base;
  // openat2 takes no other flags with O_PATH.
  const std::uint64_t flags = opening.place_only
                                  ? opening.flags & std::uint32_t{O_PATH | O_DIRECTORY}
                                  : (opening.flags & ~std::uint32_t{O_CLOEXEC}) | O_NONBLOCK;
  if (opening.is_file_tree) {  // a granted file has no directory to open it beneath but the jail's
    const GrantedTree& tree = trees_[opening.base.tree];
    return open_beneath({tree.parent.get(), true}, tree.name, flags, 0);
  }
  std::uint32_t mode = request.mode;
  if ((opening.flags & O_CREAT) != 0 && request.masked != 0 && !opening.path.empty()) {
    const Parent parent = open_parent(base, opening.path);
    mode = parent.os_errno == 0 ? mode_of_new(parent.fd, mode, request.masked) : mode;
  }
  return open_beneath(base, opening.path, flags, mode);
}

/// -errno unless what was opened is served: a file or directory, or the place of anything.
std::int64_t FileService::check_opened(const Opening& opening, int fd, abi::FileAttr& attr) {
  if (!S_ISREG(attr.mode) && !S_ISDIR(attr.mode) && !opening.place_only) {
    return -ENXIO;
  }
  // A tree granted with its mounts may have anything below it; of others the mount table tells.
  const FileSystemKind kind = opening.base.base.cross_mounts || opening.is_file_tree
                                  ? file_system_kind(fd)
                                  : FileSystemKind::Plain;
  attr.may_wait = kind == FileSystemKind::MayWait ? 1 : 0;
  return kind == FileSystemKind::Kernel ? -EACCES : 0;
}

FileService::EntryRef FileService::make_entry(const Opening& opening, UniqueFd fd,
                                              const abi::FileAttr& attr) {
  auto entry = std::make_shared<Entry>();
  entry->fd = std::move(fd);
  entry->tree = opening.base.tree;
  entry->access =
      static_cast<int>(opening.place_only ? std::uint32_t{O_PATH} : opening.flags & O_ACCMODE);
  entry->directory = S_ISDIR(attr.mode);
  entry->path = join(opening.base.prefix, opening.path);
  entry->device = attr.device;
  entry->inode = attr.inode;
  return entry;
}

std::int64_t FileService::open(const abi::RequestSlot& request, std::span<std::byte> bounce,
                               FileAnswer& answer) {
  Opening opening;
  if (const std::int64_t error = copy_opening(request, bounce, opening); error != 0) {
    return error;
  }
  const Base& base = opening.base.base;
  abi::FileAttr& attr = answer.reply.attr;
  if (read_only(opening.base.tree) && writes(opening.flags)) {
    return refuse_writing(base, opening.path, opening.flags, bounce, answer.reply);
  }
  if (base.cross_mounts && (opening.flags & O_TRUNC) != 0) {
    // Some kernel file systems act on the truncation itself: afterwards is too late.
    const Opened there = open_beneath(base, opening.path, O_PATH, 0);
    if (there.fd && on_kernel_file_system(there.fd.get())) {
      return -EACCES;
    }
  }
  ComponentAttributes components(bounce, answer.reply);
  const bool wants_all = (request.flags & abi::kAllAttributes) != 0;
  if (wants_all) {
    components.add_directories(base, opening.path);
  }
  Opened opened = open_on_host(opening, request);
  if (!opened.fd) {
    const bool may_be_special = opened.os_errno == ENXIO || opened.os_errno == EACCES;
    return may_be_special && is_special(base, opening.path, attr)
               ? -ENXIO
               : answer_failure(opened.os_errno, base, opening.path, bounce, answer.reply);
  }
  if (const int error = attributes_of(opened.fd.get(), attr); error != 0) {
    return -error;
  }
  if (wants_all && !opening.path.empty()) {
    components.add(attr);
  }
  if (S_ISLNK(attr.mode) && (request.flags & abi::kNoFollow) == 0) {
    return answer_failure(ELOOP, base, opening.path, bounce, answer.reply);
  }
  if (const std::int64_t error = check_opened(opening, opened.fd.get(), attr); error != 0) {
    return error;
  }
  const EntryRef entry = make_entry(opening, std::move(opened.fd), attr);
  const std::int64_t handle = add_entry(entry);
  if (handle < 0 || !S_ISREG(attr.mode) || attr.may_wait != 0) {
    return handle;
  }
  if (request.slot >= 0 && entry->access == O_RDONLY) {
    answer.inject_fd = entry->fd.get();
    answer.keep = entry;
    answer.slot = request.slot;
  }
  if ((request.flags & abi::kReadAhead) != 0) {
    read_ahead(*entry, attr.size, bounce, answer.reply);
  }
  return handle;
}

/// A small file whole; of a large one what a program looks at to see what it is.
void FileService::read_ahead(const Entry& entry, std::uint64_t size, std::span<std::byte> bounce,
                             abi::RequestReply& reply) {
  constexpr std::size_t kHead = 4096;
  if (entry.access != O_RDONLY ||
      abi::kAttributesOffset + reply.count * sizeof(abi::FileAttr) > abi::kDataOffset) {
    return;
  }
  // Room for more than there should be: the end is told by what does not come. Where the size says
  // otherwise it is not: an error of the medium ends a read, too.
  const std::size_t want = size < abi::kMaxReadAhead ? abi::kMaxReadAhead : kHead;
  const ssize_t count = ::pread(entry.fd.get(), &bounce[abi::kDataOffset], want, 0);
  if (count >= 0) {
    reply.length = static_cast<std::uint32_t>(count);
    reply.link_end = static_cast<std::uint64_t>(count) == size ? 1 : 0;
  }
}

}  // namespace runhl::vmm::fs
