// SPDX-License-Identifier: Apache-2.0
#include "fs/tmpfs/tmpfs.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <new>

#include "fs/permission.h"
#include "fs/tmpfs/rules.h"
#include "mm/heap.h"
#include "proc/task.h"

namespace runhl::kernel {
namespace {

std::atomic<std::uint32_t> next_device{0x20};

std::uint8_t directory_type(std::uint32_t mode) {
  return static_cast<std::uint8_t>((mode & S_IFMT) >> 12);  // DT_* are st_mode's type bits
}

}  // namespace

TmpfsNode::TmpfsNode(const Ref<TmpfsInstance>& instance, std::uint32_t mode)
    : instance_(instance), pages_(instance->quota) {
  attr_.inode = instance_->next_inode.fetch_add(1, std::memory_order_relaxed);
  attr_.device = instance_->device;
  attr_.mode = mode;
  attr_.links = S_ISDIR(mode) ? 2 : 1;
  attr_.block_size = kPageSize;
  attr_.accessed = attr_.modified = attr_.changed = attr_.born = file_time_now();
  instance_->inodes.fetch_add(1, std::memory_order_relaxed);
}

TmpfsNode::~TmpfsNode() {
  by_name_.clear();
  by_age_.clear_and_dispose([](Entry* entry) { delete entry; });
  instance_->inodes.fetch_sub(1, std::memory_order_relaxed);
}

Result<Ref<TmpfsNode>> TmpfsNode::create_root(std::uint64_t size_limit, std::uint32_t mode,
                                              std::uint64_t inode_limit) {
  const Ref<TmpfsInstance> instance = TRY(make_ref<TmpfsInstance>(
      size_limit, inode_limit, next_device.fetch_add(1, std::memory_order_relaxed)));
  return make_own(instance, S_IFDIR | (mode & 07777));
}

void TmpfsNode::set_root_owner(std::uint32_t uid, std::uint32_t gid) {
  attr_.uid = uid;
  attr_.gid = gid;
}

Result<Ref<TmpfsNode>> TmpfsNode::create_null_device() {
  Ref<TmpfsNode> node = TRY(create_root(0, 0));
  node->attr_.mode = S_IFCHR | 0666;
  node->attr_.links = 1;
  node->attr_.rdev_major = 1;
  node->attr_.rdev_minor = 3;
  return node;
}

Result<Ref<TmpfsNode>> TmpfsNode::make_own(const Ref<TmpfsInstance>& instance, std::uint32_t mode) {
  auto* node = new (std::nothrow) TmpfsNode(instance, mode);
  if (node == nullptr) {
    return fail(ENOMEM);
  }
  return Ref<TmpfsNode>(node);
}

/// A node owned by the calling task; the kernel's own nodes belong to root.
Result<Ref<TmpfsNode>> TmpfsNode::make_node(std::uint32_t mode) const {
  if (instance_->inode_limit != 0 &&
      instance_->inodes.load(std::memory_order_relaxed) >= instance_->inode_limit) {
    return fail(ENOSPC);
  }
  Ref<TmpfsNode> node = TRY(make_own(instance_, mode));
  const Credentials& who = current().credentials;
  node->attr_.uid = who.fsuid;
  const bool inherits_group = (attr_.mode & S_ISGID) != 0;
  node->attr_.gid = inherits_group ? attr_.gid : who.fsgid;
  if (inherits_group && S_ISDIR(mode)) {
    node->attr_.mode |= S_ISGID;
  }
  // Linux mode_strip_sgid: no set-group-id program in the name of a group that is not one's own.
  constexpr std::uint32_t kGroupProgram = S_ISGID | S_IXGRP;
  if (!S_ISDIR(mode) && inherits_group && (mode & kGroupProgram) == kGroupProgram &&
      !in_group(file_identity(who), node->attr_.gid) && !who.has(CAP_FSETID)) {
    node->attr_.mode &= ~std::uint32_t{S_ISGID};
  }
  return node;
}

Result<abi::FileAttr> TmpfsNode::walk(const PathSpec& at) {
  const Mutex::Guard guard(instance_->lock);
  return raw_attr(TRY(find_existing(at)));
}

Result<OpenedNode> TmpfsNode::create_file(const Place& place, std::uint32_t mode) const {
  const Ref<TmpfsNode> directory = TRY(writable_directory(place.directory));
  Ref<TmpfsNode> node = TRY(directory->make_node(S_IFREG | (mode & 07777)));
  TRY(directory->insert(place.name, node));
  const abi::FileAttr attr = node->filled_attr();
  return OpenedNode{.node = std::move(node), .attr = attr};
}

Result<OpenedNode> TmpfsNode::open(const PathSpec& at, const OpenRequest& request) {
  const Mutex::Guard guard(instance_->lock);
  const std::uint32_t flags = request.flags;
  if ((flags & O_TMPFILE) == O_TMPFILE) {
    return open_unnamed(at, request);
  }
  PathSpec last = at;
  if ((flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL)) {
    last.follow = false;
  }
  const Place place = TRY(find(last));
  if (!place.object.exists()) {
    return (flags & O_CREAT) == 0 ? fail(ENOENT) : create_file(place, request.mode);
  }
  if ((flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL)) {
    return fail(EEXIST);
  }
  const abi::FileAttr attr = TRY(raw_attr(place.object));
  const std::uint32_t mode = attr.mode;
  if ((flags & O_PATH) != 0) {
    if (!S_ISDIR(mode) && (flags & O_DIRECTORY) != 0) {
      return fail(ENOTDIR);
    }
    return OpenedNode{.node = TRY(node_of(place.object)), .attr = attr};
  }
  if (S_ISLNK(mode)) {
    return fail(ELOOP);
  }
  const bool writes = (flags & O_ACCMODE) != O_RDONLY;
  if (S_ISDIR(mode) && (writes || (flags & (O_CREAT | O_TRUNC)) != 0)) {
    return fail(EISDIR);
  }
  if (!S_ISDIR(mode) && (flags & O_DIRECTORY) != 0) {
    return fail(ENOTDIR);
  }
  std::uint32_t access = (flags & O_ACCMODE) == O_WRONLY ? 0U : std::uint32_t{kAccessRead};
  access |= writes || (flags & O_TRUNC) != 0 ? std::uint32_t{kAccessWrite} : 0U;
  TRY(require_access(attr, access));
  if ((flags & O_NOATIME) != 0 && !owns_file(attr)) {
    return fail(EPERM);
  }
  if (!S_ISREG(mode) && !S_ISDIR(mode)) {
    return OpenedNode{.node = nullptr, .attr = attr};
  }
  const Ref<TmpfsNode> node = TRY(node_of(place.object));
  if ((flags & O_TRUNC) != 0 && S_ISREG(mode)) {
    node->cut(0);
  }
  return OpenedNode{.node = node, .attr = node->filled_attr()};
}

Result<OpenedNode> TmpfsNode::open_unnamed(const PathSpec& at, const OpenRequest& request) {
  const Ref<TmpfsNode> directory = TRY(find_node(at));
  if (!S_ISDIR(directory->attr_.mode)) {
    return fail(ENOTDIR);
  }
  TRY(require_access(directory->attr_, kAccessWrite | kAccessExecute));
  Ref<TmpfsNode> node = TRY(directory->make_node(S_IFREG | (request.mode & 07777)));
  node->attr_.links = 0;
  node->linkable_ = (request.flags & O_EXCL) == 0;
  const abi::FileAttr attr = node->filled_attr();
  return OpenedNode{.node = std::move(node), .attr = attr};
}

Result<EndOfDirectory> TmpfsNode::read_directory(std::uint64_t& cookie, DirSink& sink) {
  const Mutex::Guard guard(instance_->lock);
  if (!S_ISDIR(attr_.mode)) {
    return fail(ENOTDIR);
  }
  if (TRY(read_lower_names(cookie, sink)) == EndOfDirectory::No) {
    return EndOfDirectory::No;
  }
  for (const Entry& entry : by_age_) {
    if (entry.cookie <= cookie || entry.node == nullptr) {
      continue;
    }
    const abi::FileAttr& attr = entry.node->attr_;
    if (!sink.add(entry.name.view(), attr.inode, entry.cookie, directory_type(attr.mode))) {
      return EndOfDirectory::No;
    }
    cookie = entry.cookie;
  }
  return EndOfDirectory::Yes;
}

// ---- made by the kernel ------------------------------------------------------------------------

Result<Ref<TmpfsNode>> TmpfsNode::add_directory(std::string_view name, std::uint32_t mode) {
  const Mutex::Guard guard(instance_->lock);
  Entry* entry = nullptr;
  const Object there = TRY(child({.node = this}, name, entry));
  if (there.exists()) {
    return node_of(there);
  }
  Ref<TmpfsNode> node = TRY(make_own(instance_, S_IFDIR | mode));
  TRY(insert(name, node));
  return node;
}

Result<void> TmpfsNode::add_directories(std::string_view path, std::uint32_t mode) {
  Ref<TmpfsNode> at(this);
  while (!path.empty()) {
    const std::size_t end = std::min(path.find('/'), path.size());
    at = TRY(at->add_directory(path.substr(0, end), mode));
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return {};
}

Result<void> TmpfsNode::add_device(std::string_view name, std::uint32_t mode, std::uint32_t major,
                                   std::uint32_t minor) {
  const Mutex::Guard guard(instance_->lock);
  Ref<TmpfsNode> node = TRY(make_own(instance_, mode));
  node->attr_.rdev_major = major;
  node->attr_.rdev_minor = minor;
  return insert(name, std::move(node));
}

Result<void> TmpfsNode::add_symlink(std::string_view name, std::string_view target) {
  const Mutex::Guard guard(instance_->lock);
  Ref<TmpfsNode> node = TRY(make_own(instance_, S_IFLNK | 0777));
  node->target_ = TRY(Text::copy(target));
  node->attr_.size = target.size();
  return insert(name, std::move(node));
}

}  // namespace runhl::kernel
