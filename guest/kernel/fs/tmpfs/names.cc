// SPDX-License-Identifier: Apache-2.0
// Names in an in-memory file system: finding, making, removing, renaming, linking. Where it has a
// lower tree, a name is looked for among the directory's own entries first; an entry without a node
// hides the lower name.
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/limits.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>

#include "fs/permission.h"
#include "fs/tmpfs/rules.h"
#include "fs/tmpfs/tmpfs.h"
#include "mm/heap.h"
#include "proc/task.h"

namespace runhl::kernel {
namespace {

Errno stop_at_link(const PathSpec& at, std::size_t begin, std::size_t end,
                   std::string_view target) {
  if (at.stop != nullptr) {
    at.stop->hit = true;
    at.stop->start = static_cast<std::uint32_t>(begin);
    at.stop->end = static_cast<std::uint32_t>(end);
    at.stop->length = static_cast<std::uint32_t>(target.size());
    std::memcpy(at.stop->target.data(), target.data(), target.size());
  }
  return Errno{ELOOP};
}

}  // namespace

TmpfsNode::Entry* TmpfsNode::lookup(std::string_view name) {
  const auto at = by_name_.find(name, NameLess{});
  return at == by_name_.end() ? nullptr : &*at;
}

/// The object of a name; none: there is no such name.
Result<TmpfsNode::Object> TmpfsNode::child(const Object& directory, std::string_view name,
                                           Entry*& entry) const {
  entry = directory.node == nullptr ? nullptr : directory.node->lookup(name);
  if (entry != nullptr) {
    return Object{.node = entry->node.get()};
  }
  const std::uint32_t lower = directory.node == nullptr ? directory.lower : directory.node->lower_;
  if (lower == 0) {
    return Object{};
  }
  return object(TRY(instance_->lower->lookup(lower, name)));
}

/// Either may have become a node since it was found.
bool TmpfsNode::is_same(const Object& a, const Object& b) const {
  return (a.node != nullptr ? a : object(a.lower)) == (b.node != nullptr ? b : object(b.lower));
}

Result<TmpfsNode::Place> TmpfsNode::find(const PathSpec& at) {
  Place place;
  place.object = {.node = this};
  std::size_t begin = 0;
  while (begin < at.path.size()) {
    const std::size_t end = std::min(at.path.find('/', begin), at.path.size());
    if (!place.object.exists()) {
      return fail(ENOENT);
    }
    const abi::FileAttr attr = TRY(raw_attr(place.object));
    if (!S_ISDIR(attr.mode)) {
      return fail(ENOTDIR);
    }
    TRY(require_access(attr, kAccessExecute));
    place.directory = place.object;
    place.name = at.path.substr(begin, end - begin);
    if (place.name.size() > NAME_MAX) {
      return fail(ENAMETOOLONG);
    }
    place.object = TRY(child(place.directory, place.name, place.entry));
    const bool last = end == at.path.size();
    if (place.object.exists() && (at.follow || !last)) {
      const Result<std::string_view> target = link_target(place.object);
      if (target) {
        return tl::unexpected(stop_at_link(at, begin, end, *target));
      }
      if (to_int(target.error()) != EINVAL) {
        return tl::unexpected(target.error());
      }
    }
    begin = end + 1;
  }
  return place;
}

Result<TmpfsNode::Object> TmpfsNode::find_existing(const PathSpec& at) {
  const Place place = TRY(find(at));
  if (!place.object.exists()) {
    return fail(ENOENT);
  }
  return place.object;
}

Result<Ref<TmpfsNode>> TmpfsNode::find_node(const PathSpec& at) {
  return node_of(TRY(find_existing(at)));
}

Result<void> TmpfsNode::insert(std::string_view name, Ref<TmpfsNode> node) {
  Entry* hiding = lookup(name);
  if (hiding == nullptr) {
    Owned<Entry> entry = TRY(make<Entry>());
    entry->name = TRY(Text::copy(name));
    by_name_.insert(*entry);
    by_age_.push_back(*entry);
    hiding = entry.release();  // owned by the lists now
  } else {
    by_age_.splice(by_age_.end(), by_age_, by_age_.iterator_to(*hiding));
  }
  hiding->cookie = next_cookie_++;
  if (S_ISDIR(node->attr_.mode)) {
    node->parent_ = this;
    ++attr_.links;
  }
  hiding->node = std::move(node);
  ++own_names_;
  touch(true);
  return {};
}

/// An entry for `name` without a node, over the lower name.
Result<TmpfsNode::Entry*> TmpfsNode::hide(std::string_view name) {
  Owned<Entry> entry = TRY(make<Entry>());
  entry->name = TRY(Text::copy(name));
  entry->hides = true;
  ++hidden_names_;
  by_name_.insert(*entry);
  by_age_.push_back(*entry);
  return entry.release();
}

/// Takes the object off its name. The entry stays, without a node.
void TmpfsNode::vacate(Entry& entry) {
  TmpfsNode& node = *entry.node;
  node.attr_.changed = file_time_now();
  if (S_ISDIR(node.attr_.mode)) {
    node.parent_ = nullptr;
    --attr_.links;
  }
  --own_names_;
  entry.node = nullptr;
  touch(true);
}

void TmpfsNode::drop(Entry& entry) {
  vacate(entry);
  if (!entry.hides) {
    by_name_.erase(by_name_.iterator_to(entry));
    by_age_.erase(by_age_.iterator_to(entry));
    delete &entry;
  }
}

/// Directory and object of an existing name as nodes, and the name as an entry of the directory's
/// own, so that it can be changed.
Result<TmpfsNode::OwnPlace> TmpfsNode::own_place(const Place& place) const {
  OwnPlace own;
  own.directory = TRY(node_of(place.directory));
  own.node = TRY(node_of(place.object));
  own.entry = place.entry;
  if (own.entry == nullptr) {
    own.entry = TRY(own.directory->hide(place.name));
    own.entry->node = own.node;
    own.entry->cookie = own.directory->next_cookie_++;
    ++own.directory->own_names_;
    if (S_ISDIR(own.node->attr_.mode)) {
      own.node->parent_ = own.directory.get();
    }
    own.directory->changed_ = true;
  }
  return own;
}

/// The links of a removed object; with the last one it leaves the table of lower inodes.
void TmpfsNode::unlinked(TmpfsNode& node) const {
  node.attr_.links -= S_ISDIR(node.attr_.mode) ? 2 : 1;
  node.changed_ = true;
  if (node.attr_.links == 0) {
    instance_->forget(node);
  }
}

Result<Ref<TmpfsNode>> TmpfsNode::check_create(const PathSpec& at, Place& place) {
  PathSpec last = at;
  last.follow = false;  // a symlink there exists as well
  place = TRY(find(last));
  if (place.object.exists()) {
    return fail(EEXIST);
  }
  return writable_directory(place.directory);
}

Result<Ref<TmpfsNode>> TmpfsNode::writable_directory(const Object& object) const {
  Ref<TmpfsNode> directory = TRY(node_of(object));
  if (directory->attr_.links == 0) {
    return fail(ENOENT);  // it was removed itself
  }
  TRY(require_access(directory->attr_, kAccessWrite | kAccessExecute));
  return directory;
}

Result<bool> TmpfsNode::is_empty(const Object& directory) const {
  if (directory.node != nullptr) {
    return directory.node->own_names_ == 0 &&
           directory.node->hidden_names_ == directory.node->lower_names_;
  }
  return TRY(instance_->lower->inode(directory.lower)).name_count == 0;
}

Result<void> TmpfsNode::check_remove(const Place& place, bool directory) const {
  if (!place.object.exists()) {
    return fail(ENOENT);
  }
  if (!place.directory.exists()) {
    return fail(EBUSY);
  }
  const abi::FileAttr parent = TRY(raw_attr(place.directory));
  const abi::FileAttr attr = TRY(raw_attr(place.object));
  TRY(require_access(parent, kAccessWrite | kAccessExecute));
  TRY(check_sticky(parent, attr));
  const bool is_directory = S_ISDIR(attr.mode);
  if (directory && !is_directory) {
    return fail(ENOTDIR);
  }
  if (!directory && is_directory) {
    return fail(EISDIR);
  }
  if (directory && !TRY(is_empty(place.object))) {
    return fail(ENOTEMPTY);
  }
  return {};
}

Result<std::size_t> TmpfsNode::read_link(const PathSpec& at, std::span<char> target) {
  const Mutex::Guard guard(instance_->lock);
  PathSpec last = at;
  last.follow = false;
  const std::string_view text = TRY(link_target(TRY(find_existing(last))));
  const std::size_t size = std::min(text.size(), target.size());
  std::memcpy(target.data(), text.data(), size);
  return size;
}

Result<void> TmpfsNode::make_directory(const PathSpec& at, std::uint32_t mode) {
  const Mutex::Guard guard(instance_->lock);
  Place place;
  const Ref<TmpfsNode> directory = TRY(check_create(at, place));
  return directory->insert(place.name, TRY(directory->make_node(S_IFDIR | (mode & 01777))));
}

Result<void> TmpfsNode::make_symlink(const PathSpec& at, std::string_view target) {
  const Mutex::Guard guard(instance_->lock);
  Place place;
  const Ref<TmpfsNode> directory = TRY(check_create(at, place));
  Ref<TmpfsNode> node = TRY(directory->make_node(S_IFLNK | 0777));
  node->target_ = TRY(Text::copy(target));
  node->attr_.size = target.size();
  return directory->insert(place.name, std::move(node));
}

Result<void> TmpfsNode::make_special(const PathSpec& at, std::uint32_t mode, DeviceNumber number) {
  const Mutex::Guard guard(instance_->lock);
  Place place;
  const Ref<TmpfsNode> directory = TRY(check_create(at, place));
  const bool device = S_ISCHR(mode) || S_ISBLK(mode);
  const bool whiteout = S_ISCHR(mode) && number.major == 0 && number.minor == 0;
  if (device && !whiteout && !current().credentials.has(CAP_MKNOD)) {
    return fail(EPERM);
  }
  Ref<TmpfsNode> node = TRY(directory->make_node(mode));
  if (device) {
    node->attr_.rdev_major = number.major;
    node->attr_.rdev_minor = number.minor;
  }
  return directory->insert(place.name, std::move(node));
}

Result<void> TmpfsNode::remove(const PathSpec& at, bool directory) {
  OwnPlace removed;  // its references die after the lock
  const Mutex::Guard guard(instance_->lock);
  PathSpec last = at;
  last.follow = false;
  const Place place = TRY(find(last));
  TRY(check_remove(place, directory));
  removed = TRY(own_place(place));
  removed.directory->drop(*removed.entry);
  unlinked(*removed.node);
  return {};
}

/// Whether `outer` is `inner` or a directory above it.
Result<bool> TmpfsNode::is_or_contains(const Object& outer, Object inner) const {
  for (;;) {
    if (is_same(outer, inner)) {
      return true;
    }
    if (inner.node != nullptr && inner.node->parent_ != nullptr) {
      inner = {.node = inner.node->parent_};
      continue;
    }
    const std::uint32_t lower = inner.node != nullptr ? inner.node->lower_ : inner.lower;
    if (lower == 0 || lower == kInitrdRoot) {
      return false;  // the root, or a removed directory
    }
    inner = object(TRY(instance_->lower->inode(lower)).parent);
  }
}

Result<void> TmpfsNode::rename(const PathSpec& at, Node& to, const PathSpec& to_at,
                               std::uint32_t flags) {
  OwnPlace moved, replaced;  // their references die after the lock
  const Mutex::Guard guard(instance_->lock);
  PathSpec from_last = at;
  PathSpec to_last = to_at;
  from_last.follow = to_last.follow = false;
  const Place from = TRY(find(from_last));
  // SAFETY: the caller compared filesystem(), so `to` is a TmpfsNode of this instance.
  const Place into = TRY(static_cast<TmpfsNode&>(to).find(to_last));
  if (!from.object.exists()) {
    return fail(ENOENT);
  }
  if (!from.directory.exists() || !into.directory.exists()) {
    return fail(EBUSY);
  }
  if ((flags & RENAME_NOREPLACE) != 0 && into.object.exists()) {
    return fail(EEXIST);
  }
  if ((flags & RENAME_EXCHANGE) != 0 && !into.object.exists()) {
    return fail(ENOENT);
  }
  const abi::FileAttr from_directory = TRY(raw_attr(from.directory));
  const abi::FileAttr attr = TRY(raw_attr(from.object));
  const bool directory = S_ISDIR(attr.mode);
  // One above the other: Linux sees that before it asks who may.
  if (directory && TRY(is_or_contains(from.object, into.directory))) {
    return fail(EINVAL);
  }
  if (into.object.exists() && S_ISDIR(TRY(raw_attr(into.object)).mode) &&
      TRY(is_or_contains(into.object, from.directory))) {
    return fail((flags & RENAME_EXCHANGE) != 0 ? EINVAL : ENOTEMPTY);
  }
  TRY(require_access(from_directory, kAccessWrite | kAccessExecute));
  const Ref<TmpfsNode> into_directory = TRY(writable_directory(into.directory));
  TRY(check_sticky(from_directory, attr));
  if (into.object.exists() && is_same(from.object, into.object)) {
    return {};
  }
  if ((flags & RENAME_EXCHANGE) != 0) {
    return exchange(from, into);
  }
  if (into.object.exists()) {
    TRY(check_remove(into, directory));
  }
  moved = TRY(own_place(from));
  if (into.object.exists()) {
    replaced = TRY(own_place(into));
    replaced.directory->vacate(*replaced.entry);
    unlinked(*replaced.node);
  }
  // Fails, if at all, before anything was changed: a vacated entry is there already.
  TRY(into_directory->insert(into.name, moved.node));
  moved.directory->drop(*moved.entry);
  if (directory) {
    moved.node->parent_ = into_directory.get();
  }
  return (flags & RENAME_WHITEOUT) != 0 ? moved.directory->leave_whiteout(from.name)
                                        : Result<void>{};
}

/// RENAME_WHITEOUT: a character device 0:0 stays behind, as overlay file systems want it.
Result<void> TmpfsNode::leave_whiteout(std::string_view name) {
  return insert(name, TRY(make_node(S_IFCHR)));
}

Result<void> TmpfsNode::exchange(const Place& from, const Place& into) const {
  const abi::FileAttr parent = TRY(raw_attr(into.directory));
  const abi::FileAttr attr = TRY(raw_attr(into.object));
  TRY(check_sticky(parent, attr));
  const OwnPlace a = TRY(own_place(from));
  const OwnPlace b = TRY(own_place(into));
  std::swap(a.entry->node, b.entry->node);
  for (const OwnPlace* place : {&a, &b}) {
    TmpfsNode& node = *place->entry->node;
    if (S_ISDIR(node.attr_.mode)) {
      node.parent_ = place->directory.get();
    }
    node.attr_.changed = file_time_now();
    place->directory->touch(true);
  }
  const bool a_is = S_ISDIR(a.node->attr_.mode);
  const bool b_is = S_ISDIR(b.node->attr_.mode);
  if (a_is != b_is) {  // a subdirectory is a link of its parent
    a.directory->attr_.links += a_is ? -1U : 1U;
    b.directory->attr_.links += a_is ? 1U : -1U;
  }
  return {};
}

Result<void> TmpfsNode::make_link(const PathSpec& at, Node& to, const PathSpec& to_at) {
  const Mutex::Guard guard(instance_->lock);
  const Ref<TmpfsNode> node = TRY(find_node(at));
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
  const Ref<TmpfsNode> directory = TRY(to.check_create(to_at, place));
  if (S_ISDIR(attr_.mode)) {
    return fail(EPERM);
  }
  if (attr_.links == 0 && !linkable_) {
    return fail(ENOENT);
  }
  TRY(directory->insert(place.name, Ref<TmpfsNode>(this)));
  ++attr_.links;
  linkable_ = false;
  touch(false);
  return {};
}

}  // namespace runhl::kernel
