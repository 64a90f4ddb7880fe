// SPDX-License-Identifier: Apache-2.0
#include "fs/tmpfs.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/limits.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>

#include "fs/permission.h"
#include "host/clock.h"
#include "mm/heap.h"
#include "proc/task.h"
#include "runhl/abi/layout.h"

namespace runhl::kernel {
namespace {

std::atomic<std::uint32_t> next_device{0x20};

abi::Timestamp now() {
  const __kernel_timespec time = to_timespec(realtime_now());
  return {.seconds = time.tv_sec,
          .nanoseconds = static_cast<std::uint32_t>(time.tv_nsec),
          .reserved = 0};
}

std::uint8_t directory_type(std::uint32_t mode) {
  return static_cast<std::uint8_t>((mode & S_IFMT) >> 12);  // DT_* are st_mode's type bits
}

Result<void> require(const abi::FileAttr& attr, std::uint32_t access) {
  return check_access(attr, file_identity(current().credentials), access);
}

bool is_owner(const abi::FileAttr& attr) {
  const Credentials& who = current().credentials;
  return who.fsuid == attr.uid || who.has(CAP_FOWNER);
}

}  // namespace

TmpfsNode::TmpfsNode(Ref<TmpfsInstance> instance, std::uint32_t mode)
    : instance_(std::move(instance)) {
  attr_.inode = instance_->next_inode.fetch_add(1, std::memory_order_relaxed);
  attr_.device = instance_->device;
  attr_.mode = mode;
  attr_.links = S_ISDIR(mode) ? 2 : 1;
  attr_.block_size = kPageSize;
  attr_.accessed = attr_.modified = attr_.changed = attr_.born = now();
  instance_->inodes.fetch_add(1, std::memory_order_relaxed);
}

TmpfsNode::~TmpfsNode() {
  by_name_.clear();
  by_age_.clear_and_dispose([](Entry* entry) { delete entry; });
  instance_->inodes.fetch_sub(1, std::memory_order_relaxed);
  if (data_ != nullptr) {
    heap_free(data_, capacity_);
    instance_->used.fetch_sub(capacity_, std::memory_order_relaxed);
  }
}

Result<Ref<TmpfsNode>> TmpfsNode::create_root(std::uint64_t size_limit, std::uint32_t mode,
                                              std::uint64_t inode_limit) {
  Ref<TmpfsInstance> instance = TRY(make_ref<TmpfsInstance>(
      size_limit, inode_limit, next_device.fetch_add(1, std::memory_order_relaxed)));
  auto* root = new (std::nothrow) TmpfsNode(std::move(instance), S_IFDIR | (mode & 07777));
  if (root == nullptr) {
    return fail(ENOMEM);
  }
  return Ref<TmpfsNode>(root);
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

/// A node owned by the calling task; the kernel's own nodes belong to root.
Result<Ref<TmpfsNode>> TmpfsNode::make_node(std::uint32_t mode) const {
  if (instance_->inode_limit != 0 &&
      instance_->inodes.load(std::memory_order_relaxed) >= instance_->inode_limit) {
    return fail(ENOSPC);
  }
  auto* node = new (std::nothrow) TmpfsNode(instance_, mode);
  if (node == nullptr) {
    return fail(ENOMEM);
  }
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
  return Ref<TmpfsNode>(node);
}

// ---- names -------------------------------------------------------------------------------------

TmpfsNode::Entry* TmpfsNode::lookup(std::string_view name) {
  const auto at = by_name_.find(name, NameLess{});
  return at == by_name_.end() ? nullptr : &*at;
}

Result<TmpfsNode::Place> TmpfsNode::find(const PathSpec& at) {
  Place place{.directory = nullptr, .name = {}, .entry = nullptr, .node = this};
  std::size_t begin = 0;
  while (begin < at.path.size()) {
    const std::size_t end = std::min(at.path.find('/', begin), at.path.size());
    if (place.node == nullptr) {
      return fail(ENOENT);
    }
    TmpfsNode& directory = *place.node;
    if (!S_ISDIR(directory.attr_.mode)) {
      return fail(ENOTDIR);
    }
    TRY(require(directory.attr_, kAccessExecute));
    place.directory = &directory;
    place.name = at.path.substr(begin, end - begin);
    if (place.name.size() > NAME_MAX) {
      return fail(ENAMETOOLONG);
    }
    place.entry = directory.lookup(place.name);
    place.node = place.entry == nullptr ? nullptr : place.entry->node.get();
    const bool last = end == at.path.size();
    if (place.node != nullptr && S_ISLNK(place.node->attr_.mode) && (at.follow || !last)) {
      if (at.stop != nullptr) {
        const std::string_view target = place.node->target_.view();
        at.stop->hit = true;
        at.stop->start = static_cast<std::uint32_t>(begin);
        at.stop->end = static_cast<std::uint32_t>(end);
        at.stop->length = static_cast<std::uint32_t>(target.size());
        std::memcpy(at.stop->target.data(), target.data(), target.size());
      }
      return fail(ELOOP);
    }
    begin = end + 1;
  }
  return place;
}

Result<TmpfsNode*> TmpfsNode::find_existing(const PathSpec& at) {
  const Place place = TRY(find(at));
  if (place.node == nullptr) {
    return fail(ENOENT);
  }
  return place.node;
}

Result<void> TmpfsNode::insert(std::string_view name, Ref<TmpfsNode> node) {
  Owned<Entry> entry = TRY(make<Entry>());
  entry->name = TRY(Text::copy(name));
  entry->cookie = next_cookie_++;
  if (S_ISDIR(node->attr_.mode)) {
    node->parent_ = this;
    ++attr_.links;
  }
  entry->node = std::move(node);
  by_name_.insert(*entry);
  by_age_.push_back(*entry);
  (void)entry.release();  // owned by the lists now
  touch(true);
  return {};
}

void TmpfsNode::drop(Entry& entry) {
  TmpfsNode& node = *entry.node;
  node.attr_.changed = now();
  if (S_ISDIR(node.attr_.mode)) {
    node.parent_ = nullptr;
    --attr_.links;
  }
  by_name_.erase(by_name_.iterator_to(entry));
  by_age_.erase(by_age_.iterator_to(entry));
  delete &entry;
  touch(true);
}

Result<void> TmpfsNode::check_create(const PathSpec& at, Place& place) {
  PathSpec last = at;
  last.follow = false;  // a symlink there exists as well
  place = TRY(find(last));
  if (place.node != nullptr) {
    return fail(EEXIST);
  }
  if (place.directory->attr_.links == 0) {
    return fail(ENOENT);  // the directory itself was removed
  }
  return require(place.directory->attr_, kAccessWrite | kAccessExecute);
}

Result<void> TmpfsNode::check_sticky(const Place& place) const {
  const abi::FileAttr& parent = place.directory->attr_;
  const Credentials& who = current().credentials;
  if ((parent.mode & S_ISVTX) != 0 && who.fsuid != place.node->attr_.uid &&
      who.fsuid != parent.uid && !who.has(CAP_FOWNER)) {
    return fail(EPERM);
  }
  return {};
}

Result<void> TmpfsNode::check_remove(const Place& place, bool directory) const {
  if (place.node == nullptr) {
    return fail(ENOENT);
  }
  if (place.directory == nullptr) {
    return fail(EBUSY);
  }
  TRY(require(place.directory->attr_, kAccessWrite | kAccessExecute));
  TRY(check_sticky(place));
  const bool is_directory = S_ISDIR(place.node->attr_.mode);
  if (directory && !is_directory) {
    return fail(ENOTDIR);
  }
  if (!directory && is_directory) {
    return fail(EISDIR);
  }
  if (directory && !place.node->by_name_.empty()) {
    return fail(ENOTEMPTY);
  }
  return {};
}

Result<abi::FileAttr> TmpfsNode::walk(const PathSpec& at) {
  const Mutex::Guard guard(instance_->lock);
  return TRY(find_existing(at))->filled_attr();
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
  if (place.node == nullptr) {
    if ((flags & O_CREAT) == 0) {
      return fail(ENOENT);
    }
    TRY(require(place.directory->attr_, kAccessWrite | kAccessExecute));
    if (place.directory->attr_.links == 0) {
      return fail(ENOENT);
    }
    Ref<TmpfsNode> node = TRY(place.directory->make_node(S_IFREG | (request.mode & 07777)));
    TRY(place.directory->insert(place.name, node));
    const abi::FileAttr attr = node->filled_attr();
    return OpenedNode{.node = std::move(node), .attr = attr};
  }
  TmpfsNode& node = *place.node;
  const std::uint32_t mode = node.attr_.mode;
  if ((flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL)) {
    return fail(EEXIST);
  }
  if ((flags & O_PATH) != 0) {
    return OpenedNode{.node = Ref<Node>(&node), .attr = node.filled_attr()};
  }
  if (S_ISLNK(mode)) {
    return fail(ELOOP);
  }
  const bool writes = (flags & O_ACCMODE) != O_RDONLY;
  if (S_ISDIR(mode) && (writes || (flags & O_CREAT) != 0)) {
    return fail(EISDIR);
  }
  if (!S_ISDIR(mode) && (flags & O_DIRECTORY) != 0) {
    return fail(ENOTDIR);
  }
  std::uint32_t access = (flags & O_ACCMODE) == O_WRONLY ? 0U : std::uint32_t{kAccessRead};
  access |= writes || (flags & O_TRUNC) != 0 ? std::uint32_t{kAccessWrite} : 0U;
  TRY(require(node.attr_, access));
  if ((flags & O_NOATIME) != 0 && !is_owner(node.attr_)) {
    return fail(EPERM);
  }
  if (!S_ISREG(mode) && !S_ISDIR(mode)) {
    return OpenedNode{.node = nullptr, .attr = node.filled_attr()};
  }
  if ((flags & O_TRUNC) != 0 && S_ISREG(mode)) {
    TRY(node.resize(0));
  }
  return OpenedNode{.node = Ref<Node>(&node), .attr = node.filled_attr()};
}

Result<OpenedNode> TmpfsNode::open_unnamed(const PathSpec& at, const OpenRequest& request) {
  TmpfsNode* const directory = TRY(find_existing(at));
  if (!S_ISDIR(directory->attr_.mode)) {
    return fail(ENOTDIR);
  }
  TRY(require(directory->attr_, kAccessWrite | kAccessExecute));
  Ref<TmpfsNode> node = TRY(directory->make_node(S_IFREG | (request.mode & 07777)));
  node->attr_.links = 0;
  node->linkable_ = (request.flags & O_EXCL) == 0;
  const abi::FileAttr attr = node->filled_attr();
  return OpenedNode{.node = std::move(node), .attr = attr};
}

Result<std::size_t> TmpfsNode::read_link(const PathSpec& at, std::span<char> target) {
  const Mutex::Guard guard(instance_->lock);
  PathSpec last = at;
  last.follow = false;
  const TmpfsNode* const node = TRY(find_existing(last));
  if (!S_ISLNK(node->attr_.mode)) {
    return fail(EINVAL);
  }
  const std::string_view text = node->target_.view();
  const std::size_t size = std::min(text.size(), target.size());
  std::memcpy(target.data(), text.data(), size);
  return size;
}

Result<void> TmpfsNode::make_directory(const PathSpec& at, std::uint32_t mode) {
  const Mutex::Guard guard(instance_->lock);
  Place place;
  TRY(check_create(at, place));
  return place.directory->insert(place.name,
                                 TRY(place.directory->make_node(S_IFDIR | (mode & 01777))));
}

Result<void> TmpfsNode::make_symlink(const PathSpec& at, std::string_view target) {
  const Mutex::Guard guard(instance_->lock);
  Place place;
  TRY(check_create(at, place));
  Ref<TmpfsNode> node = TRY(place.directory->make_node(S_IFLNK | 0777));
  node->target_ = TRY(Text::copy(target));
  node->attr_.size = target.size();
  return place.directory->insert(place.name, std::move(node));
}

Result<void> TmpfsNode::make_special(const PathSpec& at, std::uint32_t mode, DeviceNumber number) {
  const Mutex::Guard guard(instance_->lock);
  Place place;
  TRY(check_create(at, place));
  const bool device = S_ISCHR(mode) || S_ISBLK(mode);
  const bool whiteout = S_ISCHR(mode) && number.major == 0 && number.minor == 0;
  if (device && !whiteout && !current().credentials.has(CAP_MKNOD)) {
    return fail(EPERM);
  }
  Ref<TmpfsNode> node = TRY(place.directory->make_node(mode));
  if (device) {
    node->attr_.rdev_major = number.major;
    node->attr_.rdev_minor = number.minor;
  }
  return place.directory->insert(place.name, std::move(node));
}

Result<void> TmpfsNode::remove(const PathSpec& at, bool directory) {
  Ref<TmpfsNode> removed;  // dies after the lock
  const Mutex::Guard guard(instance_->lock);
  PathSpec last = at;
  last.follow = false;
  const Place place = TRY(find(last));
  TRY(check_remove(place, directory));
  removed = place.entry->node;
  place.directory->drop(*place.entry);
  removed->attr_.links -= directory ? 2 : 1;
  return {};
}

bool TmpfsNode::is_or_contains(const TmpfsNode& other) const {
  for (const TmpfsNode* at = &other; at != nullptr; at = at->parent_) {
    if (at == this) {
      return true;
    }
  }
  return false;
}

Result<void> TmpfsNode::rename(const PathSpec& at, Node& to, const PathSpec& to_at,
                               std::uint32_t flags) {
  Ref<TmpfsNode> replaced;  // dies after the lock
  const Mutex::Guard guard(instance_->lock);
  PathSpec from_last = at;
  PathSpec to_last = to_at;
  from_last.follow = to_last.follow = false;
  const Place from = TRY(find(from_last));
  // SAFETY: the caller compared filesystem(), so `to` is a TmpfsNode of this instance.
  const Place into = TRY(static_cast<TmpfsNode&>(to).find(to_last));
  if (from.node == nullptr) {
    return fail(ENOENT);
  }
  if (from.directory == nullptr || into.directory == nullptr) {
    return fail(EBUSY);
  }
  const bool exchange = (flags & RENAME_EXCHANGE) != 0;
  if ((flags & RENAME_NOREPLACE) != 0 && into.node != nullptr) {
    return fail(EEXIST);
  }
  if (exchange && into.node == nullptr) {
    return fail(ENOENT);
  }
  TRY(require(from.directory->attr_, kAccessWrite | kAccessExecute));
  TRY(require(into.directory->attr_, kAccessWrite | kAccessExecute));
  TRY(check_sticky(from));
  if (from.node == into.node) {
    return {};
  }
  const bool directory = S_ISDIR(from.node->attr_.mode);
  if (directory && from.node->is_or_contains(*into.directory)) {
    return fail(EINVAL);
  }
  if (exchange) {
    TRY(check_sticky(into));
    if (S_ISDIR(into.node->attr_.mode) && into.node->is_or_contains(*from.directory)) {
      return fail(EINVAL);
    }
    std::swap(from.entry->node, into.entry->node);
    for (const Place* place : {&from, &into}) {
      if (S_ISDIR(place->entry->node->attr_.mode)) {
        place->entry->node->parent_ = place->directory;
      }
      place->directory->touch(true);
    }
    return {};
  }
  if (into.node != nullptr) {
    const Result<void> removable = into.directory->check_remove(into, directory);
    if (!removable) {
      return removable;
    }
    replaced = into.entry->node;
  }
  Ref<TmpfsNode> moving = from.entry->node;
  TRY(Text::copy(into.name));  // fails here or not at all: nothing is lost half-way
  if (into.node != nullptr) {
    into.directory->drop(*into.entry);
    replaced->attr_.links -= directory ? 2 : 1;
  }
  from.directory->drop(*from.entry);
  TRY(into.directory->insert(into.name, std::move(moving)));
  return (flags & RENAME_WHITEOUT) != 0 ? leave_whiteout(*from.directory, from.name)
                                        : Result<void>{};
}

/// RENAME_WHITEOUT: a character device 0:0 stays behind, as overlay file systems want it.
Result<void> TmpfsNode::leave_whiteout(TmpfsNode& directory, std::string_view name) {
  return directory.insert(name, TRY(directory.make_node(S_IFCHR)));
}

Result<void> TmpfsNode::make_link(const PathSpec& at, Node& to, const PathSpec& to_at) {
  const Mutex::Guard guard(instance_->lock);
  TmpfsNode* const node = TRY(find_existing(at));
  // SAFETY: the caller compared filesystem(), so `to` is a TmpfsNode of this instance.
  return node->add_link(static_cast<TmpfsNode&>(to), to_at);
}

Result<void> TmpfsNode::link_self(Node& to, const PathSpec& to_at) {
  const Mutex::Guard guard(instance_->lock);
  // SAFETY: as above.
  return add_link(static_cast<TmpfsNode&>(to), to_at);
}

Result<void> TmpfsNode::add_link(TmpfsNode& to, const PathSpec& to_at) {
  Place place;
  TRY(to.check_create(to_at, place));
  if (S_ISDIR(attr_.mode)) {
    return fail(EPERM);
  }
  if (attr_.links == 0 && !linkable_) {
    return fail(ENOENT);
  }
  TRY(place.directory->insert(place.name, Ref<TmpfsNode>(this)));
  ++attr_.links;
  linkable_ = false;
  attr_.changed = now();
  return {};
}

// ---- attributes --------------------------------------------------------------------------------

void TmpfsNode::touch(bool modified) {
  attr_.changed = now();
  if (modified) {
    attr_.modified = attr_.changed;
  }
}

abi::FileAttr TmpfsNode::filled_attr() const {
  abi::FileAttr attr = attr_;
  attr.blocks = capacity_ / 512;
  if (S_ISDIR(attr.mode)) {
    attr.size = by_age_.size() * 20 + 40;  // as Linux's tmpfs counts
  }
  return attr;
}

Result<abi::FileAttr> TmpfsNode::attributes() {
  const Mutex::Guard guard(instance_->lock);
  return filled_attr();
}

Result<void> TmpfsNode::set_mode(const PathSpec& at, std::uint32_t mode) {
  const Mutex::Guard guard(instance_->lock);
  TmpfsNode* const node = TRY(find_existing(at));
  if (S_ISLNK(node->attr_.mode)) {
    return fail(EOPNOTSUPP);
  }
  if (!is_owner(node->attr_)) {
    return fail(EPERM);
  }
  const Credentials& who = current().credentials;
  if (!in_group(file_identity(who), node->attr_.gid) && !who.has(CAP_FSETID)) {
    mode &= ~std::uint32_t{S_ISGID};
  }
  node->attr_.mode = (node->attr_.mode & S_IFMT) | (mode & 07777);
  node->touch(false);
  return {};
}

Result<void> TmpfsNode::set_owner(const PathSpec& at, OwnerChange owner) {
  const Mutex::Guard guard(instance_->lock);
  TmpfsNode* const node = TRY(find_existing(at));
  abi::FileAttr& attr = node->attr_;
  const Credentials& who = current().credentials;
  const bool changes_uid = owner.uid != ~0U && owner.uid != attr.uid;
  const bool changes_gid = owner.gid != ~0U && owner.gid != attr.gid;
  const bool own_group = who.fsuid == attr.uid && in_group(file_identity(who), owner.gid);
  const bool keeps_own = owner.uid == ~0U || (owner.uid == attr.uid && who.fsuid == attr.uid);
  if ((changes_uid || (changes_gid && !(own_group && keeps_own))) && !who.has(CAP_CHOWN)) {
    return fail(EPERM);
  }
  attr.uid = owner.uid == ~0U ? attr.uid : owner.uid;
  attr.gid = owner.gid == ~0U ? attr.gid : owner.gid;
  node->drop_privileges();
  node->touch(false);
  return {};
}

/// A new owner or new bytes: what ran with privileges does so no longer.
void TmpfsNode::drop_privileges() {
  if (S_ISDIR(attr_.mode)) {
    return;
  }
  attr_.mode &= ~std::uint32_t{S_ISUID};
  if ((attr_.mode & S_IXGRP) != 0) {
    attr_.mode &= ~std::uint32_t{S_ISGID};
  }
  (void)xattrs_.remove("security.capability");  // most have none
}

Result<void> TmpfsNode::set_times(const PathSpec& at, const std::array<abi::Timestamp, 2>& times) {
  const Mutex::Guard guard(instance_->lock);
  TmpfsNode* const node = TRY(find_existing(at));
  const bool all_now = times[0].nanoseconds == UTIME_NOW && times[1].nanoseconds == UTIME_NOW;
  if (!is_owner(node->attr_)) {
    if (!all_now) {
      return fail(EPERM);
    }
    TRY(require(node->attr_, kAccessWrite));
  }
  const auto apply = [](abi::Timestamp& field, const abi::Timestamp& wanted) {
    if (wanted.nanoseconds != UTIME_OMIT) {
      field = wanted.nanoseconds == UTIME_NOW ? now() : wanted;
    }
  };
  apply(node->attr_.accessed, times[0]);
  apply(node->attr_.modified, times[1]);
  node->touch(false);
  return {};
}

Result<abi::StatFsReply> TmpfsNode::statfs() {
  const std::uint64_t used = instance_->used.load(std::memory_order_relaxed);
  abi::StatFsReply reply{};
  reply.type = TMPFS_MAGIC;
  reply.block_size = reply.fragment_size = kPageSize;
  reply.blocks = instance_->size_limit / kPageSize;
  reply.blocks_free = reply.blocks_available =
      (instance_->size_limit - std::min(used, instance_->size_limit)) / kPageSize;
  reply.name_length = NAME_MAX;
  if (instance_->inode_limit != 0) {
    const std::uint64_t inodes = instance_->inodes.load(std::memory_order_relaxed);
    reply.files = instance_->inode_limit;
    reply.files_free = reply.files - std::min(inodes, reply.files);
  }
  return reply;
}

// ---- bytes -------------------------------------------------------------------------------------

/// Room for `size` bytes in one run. ENOSPC where the file system or the heap has none.
Result<void> TmpfsNode::reserve(std::uint64_t size) {
  if (size <= capacity_) {
    return {};
  }
  if (size > instance_->size_limit || mapped_) {
    return fail(ENOSPC);
  }
  const std::uint64_t limit = align_up(instance_->size_limit, kPageSize);
  const std::uint64_t wanted =
      std::min(std::max(align_up(size, kPageSize), std::min(capacity_ * 2, limit)), limit);
  const std::uint64_t added = wanted - capacity_;
  if (instance_->used.fetch_add(added, std::memory_order_relaxed) + added > limit) {
    instance_->used.fetch_sub(added, std::memory_order_relaxed);
    return fail(ENOSPC);
  }
  auto* const data = static_cast<std::byte*>(heap_allocate(wanted));
  if (data == nullptr) {
    instance_->used.fetch_sub(added, std::memory_order_relaxed);
    return fail(ENOSPC);
  }
  if (data_ != nullptr) {
    std::memcpy(data, data_, attr_.size);
    heap_free(data_, capacity_);
  }
  data_ = data;
  capacity_ = wanted;
  return {};
}

Result<void> TmpfsNode::resize(std::uint64_t size) {
  TRY(reserve(size));
  if (size > attr_.size) {
    std::memset(data_ + attr_.size, 0, align_up(size, kPageSize) - attr_.size);
  }
  attr_.size = size;
  if (size == 0 && data_ != nullptr && !mapped_) {
    heap_free(data_, capacity_);
    instance_->used.fetch_sub(capacity_, std::memory_order_relaxed);
    data_ = nullptr;
    capacity_ = 0;
  }
  touch(true);
  return {};
}

Result<void> TmpfsNode::truncate(std::uint64_t size) {
  const Mutex::Guard guard(instance_->lock);
  if (!S_ISREG(attr_.mode)) {
    return fail(EINVAL);
  }
  return resize(size);
}

Result<std::size_t> TmpfsNode::read_at(IoBuffer& buffer, std::uint64_t offset) {
  const Mutex::Guard guard(instance_->lock);
  if (S_ISDIR(attr_.mode)) {
    return fail(EISDIR);
  }
  if (offset >= attr_.size) {
    return 0;
  }
  attr_.accessed = now();
  return buffer.put(data_ + offset, attr_.size - offset);
}

Result<std::size_t> TmpfsNode::write_at(IoBuffer& buffer, std::uint64_t offset,
                                        std::uint64_t& end) {
  const Mutex::Guard guard(instance_->lock);
  const std::uint64_t start = offset == kAppendOffset ? attr_.size : offset;
  if (start > instance_->size_limit) {
    return fail(ENOSPC);
  }
  const std::uint64_t room = align_up(instance_->size_limit, kPageSize) - start;
  const std::uint64_t wanted = std::min<std::uint64_t>(buffer.remaining(), room);
  if (wanted == 0) {
    end = start;
    return buffer.full() ? Result<std::size_t>(0) : fail(ENOSPC);
  }
  if (!current().credentials.has(CAP_FSETID)) {
    drop_privileges();
  }
  const std::uint64_t old_size = attr_.size;
  if (start + wanted > old_size) {
    TRY(resize(start + wanted));
  }
  const Result<std::size_t> done = buffer.take(data_ + start, wanted);
  const std::uint64_t reached = start + (done ? *done : 0);
  if (attr_.size > old_size && reached < attr_.size) {
    attr_.size = std::max(old_size, reached);
  }
  touch(true);
  if (done) {
    end = reached;
  }
  return done;
}

Result<void> TmpfsNode::allocate(std::uint32_t mode, std::uint64_t offset, std::uint64_t length) {
  const Mutex::Guard guard(instance_->lock);
  if (!S_ISREG(attr_.mode)) {
    return S_ISDIR(attr_.mode) ? fail(EISDIR) : fail(ENODEV);
  }
  constexpr std::uint32_t kZeroes = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE;
  if ((mode & ~std::uint32_t{FALLOC_FL_KEEP_SIZE | kZeroes}) != 0) {
    return fail(EOPNOTSUPP);  // as Linux's tmpfs, which moves no bytes either
  }
  const std::uint64_t end = offset + length;
  const bool grows = (mode & FALLOC_FL_KEEP_SIZE) == 0 && end > attr_.size;
  if ((mode & kZeroes) != 0 && offset < attr_.size) {
    std::memset(data_ + offset, 0, std::min(end, attr_.size) - offset);
  }
  if ((mode & FALLOC_FL_PUNCH_HOLE) == 0) {
    TRY(reserve(end));
  }
  if (grows) {
    TRY(resize(end));
  }
  touch(grows || (mode & kZeroes) != 0);
  return {};
}

namespace {

bool is_zero(const std::byte* bytes, std::size_t size) {
  return bytes[0] == std::byte{0} && std::memcmp(bytes, bytes + 1, size - 1) == 0;
}

}  // namespace

/// A page of zeros is as good as a hole: nobody can tell them apart.
Result<std::uint64_t> TmpfsNode::seek(std::uint64_t offset, int whence) {
  const Mutex::Guard guard(instance_->lock);
  if (offset >= attr_.size) {
    return fail(ENXIO);
  }
  const bool wants_hole = whence == SEEK_HOLE;
  for (std::uint64_t page = offset / kPageSize * kPageSize; page < attr_.size; page += kPageSize) {
    const std::size_t size = std::min<std::uint64_t>(kPageSize, attr_.size - page);
    if (is_zero(data_ + page, size) == wants_hole) {
      return std::max(page, offset);
    }
  }
  return wants_hole ? Result<std::uint64_t>(attr_.size) : fail(ENXIO);
}

Result<aspace::Backing> TmpfsNode::backing(std::uint64_t offset, std::uint64_t length, MapUse use) {
  const Mutex::Guard guard(instance_->lock);
  // Private mappings are copies, so that the file can still grow. A shared one ends with the file;
  // Linux lets it reach further.
  if (use == MapUse::Private || data_ == nullptr ||
      offset + length > align_up(attr_.size, kPageSize)) {
    return fail(ENODEV);
  }
  mapped_ = true;
  // SAFETY: heap memory lies in the kernel memfd, so its address names the place in the file.
  const auto address = reinterpret_cast<std::uint64_t>(data_) + offset;
  return aspace::Backing{.kind = aspace::Backing::Kind::KernelMemory,
                         .slot = -1,
                         .offset = abi::memfd_offset(address)};
}

Result<EndOfDirectory> TmpfsNode::read_directory(std::uint64_t& cookie, DirSink& sink) {
  const Mutex::Guard guard(instance_->lock);
  if (!S_ISDIR(attr_.mode)) {
    return fail(ENOTDIR);
  }
  for (const Entry& entry : by_age_) {
    if (entry.cookie <= cookie) {
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

// ---- extended attributes -----------------------------------------------------------------------

Result<std::size_t> TmpfsNode::get_xattr(const PathSpec& at, std::string_view name,
                                         std::span<std::byte> out) {
  const Mutex::Guard guard(instance_->lock);
  TmpfsNode* const node = TRY(find_existing(at));
  TRY(check_xattr(node->attr_, name, XattrUse::Get));
  return node->xattrs_.get(name, out);
}

Result<void> TmpfsNode::set_xattr(const PathSpec& at, std::string_view name,
                                  const XattrValue& value) {
  const Mutex::Guard guard(instance_->lock);
  TmpfsNode* const node = TRY(find_existing(at));
  TRY(check_xattr(node->attr_, name, XattrUse::Set));
  TRY(node->xattrs_.set(name, value));
  node->touch(false);
  return {};
}

Result<std::size_t> TmpfsNode::list_xattrs(const PathSpec& at, std::span<std::byte> out) {
  const Mutex::Guard guard(instance_->lock);
  return TRY(find_existing(at))->xattrs_.list(out);
}

Result<void> TmpfsNode::remove_xattr(const PathSpec& at, std::string_view name) {
  const Mutex::Guard guard(instance_->lock);
  TmpfsNode* const node = TRY(find_existing(at));
  TRY(check_xattr(node->attr_, name, XattrUse::Set));
  TRY(node->xattrs_.remove(name));
  node->touch(false);
  return {};
}

// ---- made by the kernel ------------------------------------------------------------------------

Result<Ref<TmpfsNode>> TmpfsNode::add_directory(std::string_view name, std::uint32_t mode) {
  const Mutex::Guard guard(instance_->lock);
  if (Entry* const entry = lookup(name)) {
    return entry->node;
  }
  auto* raw = new (std::nothrow) TmpfsNode(instance_, S_IFDIR | mode);
  if (raw == nullptr) {
    return fail(ENOMEM);
  }
  Ref<TmpfsNode> node(raw);
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
  auto* raw = new (std::nothrow) TmpfsNode(instance_, mode);
  if (raw == nullptr) {
    return fail(ENOMEM);
  }
  Ref<TmpfsNode> node(raw);
  node->attr_.rdev_major = major;
  node->attr_.rdev_minor = minor;
  return insert(name, std::move(node));
}

Result<void> TmpfsNode::add_symlink(std::string_view name, std::string_view target) {
  const Mutex::Guard guard(instance_->lock);
  auto* raw = new (std::nothrow) TmpfsNode(instance_, S_IFLNK | 0777);
  if (raw == nullptr) {
    return fail(ENOMEM);
  }
  Ref<TmpfsNode> node(raw);
  node->target_ = TRY(Text::copy(target));
  node->attr_.size = target.size();
  return insert(name, std::move(node));
}

}  // namespace runhl::kernel
