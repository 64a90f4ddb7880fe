// SPDX-License-Identifier: Apache-2.0
#include "fs/path.h"

#include <linux/capability.h>
#include <linux/limits.h>
#include <sys/stat.h>

#include <cstring>
#include <new>

#include "fs/fs_context.h"
#include "fs/permission.h"
#include "proc/task.h"

namespace runhl::kernel {
namespace {

constexpr unsigned kMaxLinks = 40;  // Linux MAXSYMLINKS

/// What is still to come behind a link. A "." at the end has been taken already, but of the link:
/// it counts for what that leads to.
std::string_view behind_link(const PathWalk& walk) {
  const bool at_end = walk.given().find_first_not_of('/') == std::string_view::npos;
  return at_end && walk.last() == LastName::Dot ? std::string_view("/.") : walk.given();
}

/// The directory that a ".." is looked up in, which nothing was asked of: that of the process, or
/// one above it.
Result<void> check_search(PathWalk& walk) {
  const Credentials& who = current().credentials;
  if (who.has(CAP_DAC_OVERRIDE) || who.has(CAP_DAC_READ_SEARCH)) {
    return {};
  }
  return check_access(TRY(walk.base()->walk(walk.spec(Follow::No))), file_identity(who),
                      kAccessExecute);
}

}  // namespace

Result<Owned<PathWalk>> PathWalk::create(const Ref<Directory>& start) {
  Owned<PathWalk> walk(new (std::nothrow) PathWalk);
  if (walk == nullptr) {
    return fail(ENOMEM);
  }
  TRY(walk->begin_at(*start));
  return walk;
}

Result<void> PathWalk::begin_at(const Directory& directory) {
  mount_ = &directory.mount();
  base_ = directory.node();
  const Directory::Where where = TRY(directory.copy_path(path_));
  path_size_ = base_size_ = verified_size_ = where.length;
  return {};
}

Result<void> PathWalk::set_path(std::string_view path, EmptyPath empty) {
  if (path.size() >= abi::kMaxPath) {
    return fail(ENAMETOOLONG);
  }
  if (path.empty()) {
    rest_at_ = rest_end_ = 0;
    return empty == EmptyPath::Allow ? Result<void>{} : fail(ENOENT);
  }
  std::memcpy(rest_.data(), path.data(), path.size());
  rest_at_ = 0;
  rest_end_ = path.size();
  return path.front() == '/' ? go_to_root() : Result<void>{};
}

Result<void> PathWalk::copy_path(UserAddress path, EmptyPath empty) {
  const std::size_t size =
      TRY(copy_string_from_user(std::span<char>(rest_).first(abi::kMaxPath), path));
  rest_at_ = 0;
  rest_end_ = size;
  if (size == 0) {
    return empty == EmptyPath::Allow ? Result<void>{} : fail(ENOENT);
  }
  return rest_[0] == '/' ? go_to_root() : Result<void>{};
}

/// The task's root; while the mounts are made there is only the tree's.
Result<void> PathWalk::go_to_root() {
  FsContext* const fs = current().fs;
  if (fs != nullptr && fs->root_changed()) {
    return begin_at(*fs->root());
  }
  mount_ = MountTable::instance().root();
  base_ = mount_->root;
  base_size_ = path_size_ = verified_size_ = 0;
  enter_mounts();
  return {};
}

/// Into what is mounted at the present position.
void PathWalk::enter_mounts() {
  if (Mount* const above = MountTable::instance().mounted_at(*mount_, path())) {
    mount_ = above;
    base_ = above->root;
    base_size_ = path_size_ = verified_size_ = 0;
  }
}

PathSpec PathWalk::spec(Follow follow) {
  const std::size_t from =
      base_size_ == 0 || base_size_ == path_size_ ? base_size_ : base_size_ + 1;
  return {.path = path().substr(from),
          .follow = follow == Follow::Yes || must_be_directory_,
          .stop = &stop_};
}

std::string_view PathWalk::name() const {
  const std::size_t slash = path().rfind('/');
  return slash == std::string_view::npos ? path() : path().substr(slash + 1);
}

Result<void> PathWalk::consume() {
  while (rest_at_ < rest_end_) {
    if (rest_[rest_at_] == '/') {
      ++rest_at_;
      continue;
    }
    const std::string_view rest = given();
    const std::size_t length = std::min(rest.find('/'), rest.size());
    const std::string_view name = rest.substr(0, length);
    rest_at_ += length;
    if (length < rest.size() && rest.find_first_not_of('/', length) == std::string_view::npos) {
      must_be_directory_ = true;  // slashes at the end
    }
    TRY(take(name));
  }
  return {};
}

Result<void> PathWalk::take(std::string_view name) {
  if (name == ".") {
    last_ = LastName::Dot;
    must_be_directory_ |= given().find_first_not_of('/') == std::string_view::npos;
    return {};
  }
  if (name == "..") {
    TRY(go_up());
    last_ = LastName::DotDot;
    return {};
  }
  last_ = LastName::Normal;
  return append(name);
}

Result<void> PathWalk::append(std::string_view name) {
  if (name.size() > NAME_MAX && given().find_first_not_of('/') == std::string_view::npos) {
    overlong_ = true;  // an error once the directory has been found
    return {};
  }
  TRY(descend(name));
  enter_mounts();
  return {};
}

Result<void> PathWalk::descend(std::string_view name) {
  if (name.size() > NAME_MAX) {
    return fail(ENAMETOOLONG);
  }
  const std::size_t slash = path_size_ == 0 ? 0 : 1;
  if (path_size_ + slash + name.size() >= path_.size()) {
    return fail(ENAMETOOLONG);
  }
  if (slash != 0) {
    path_[path_size_] = '/';
  }
  // `name` lies in rest_, never in path_.
  std::memcpy(path_.data() + path_size_ + slash, name.data(), name.size());
  path_size_ += slash + name.size();
  return {};
}

/// ".." leaves the real directory, so what leads there must be known first. It may turn out to be
/// a symlink: then the ".." comes back as part of the new rest.
Result<void> PathWalk::go_up() {
  if (verified_size_ < path_size_) {
    const unsigned links_before = links_;
    rest_at_ -= 2;  // keep ".." for after the symlink
    TRY(verify());
    if (links_ != links_before) {
      return {};
    }
    rest_at_ += 2;
  } else {
    TRY(check_search(*this));
  }
  FsContext* const fs = current().fs;
  if (fs != nullptr && fs->root_changed() && fs->root()->is_at(*mount_, path())) {
    return {};
  }
  while (path_size_ == 0 && mount_->parent != nullptr) {
    const std::string_view mountpoint = mount_->mountpoint.view();
    mount_ = mount_->parent;
    base_ = mount_->root;
    base_size_ = 0;
    std::memcpy(path_.data(), mountpoint.data(), mountpoint.size());
    path_size_ = verified_size_ = mountpoint.size();
  }
  if (path_size_ != 0) {
    const std::size_t slash = path().rfind('/');
    truncate_path(slash == std::string_view::npos ? 0 : slash);
  }
  enter_mounts();
  return {};
}

void PathWalk::truncate_path(std::size_t size) {
  path_size_ = size;
  verified_size_ = std::min(verified_size_, size);
  if (size < base_size_) {
    base_ = mount_->root;
    base_size_ = 0;
  }
}

/// Asks the file system for the present path, which must be a directory. Where a symlink lies on
/// the way it is put in place, and links_ tells so.
Result<void> PathWalk::verify() {
  stop_.hit = false;
  const PathSpec at = spec(Follow::Yes);
  const Result<abi::FileAttr> attr = base_->walk(at);
  if (!attr && stop_.hit) {
    return follow_link();
  }
  if (!attr) {
    return tl::unexpected(attr.error());
  }
  if (!S_ISDIR(attr->mode)) {
    return fail(ENOTDIR);
  }
  // Whatever comes behind, "." and ".." too, is looked up in it.
  TRY(check_access(*attr, file_identity(current().credentials), kAccessExecute));
  verified_size_ = path_size_;
  return {};
}

/// The present path is all but the last name.
Result<void> PathWalk::verify_parent_of_overlong() {
  for (unsigned links_before = ~0U; links_before != links_;) {
    links_before = links_;
    TRY(verify());
    TRY(consume());
  }
  return {};
}

/// Replaces the symlink that the last operation stopped at by its target, in front of what is left.
Result<void> PathWalk::follow_link() {
  if (++links_ > kMaxLinks) {
    return fail(ELOOP);
  }
  if (stop_.jump_mount != nullptr) {
    return jump();
  }
  const std::string_view target = stop_.text();
  if (target.empty()) {
    return fail(ENOENT);
  }
  const std::string_view sent = spec(Follow::Yes).path;
  if (stop_.end > sent.size()) {
    return fail(EIO);
  }
  const std::string_view behind = sent.substr(stop_.end);  // begins with '/' unless empty
  const std::string_view left = behind_link(*this);
  const std::size_t slash = left.empty() || left.front() == '/' ? 0 : 1;
  const std::size_t total = target.size() + behind.size() + slash + left.size();
  if (total >= kRestSize) {
    return fail(ENAMETOOLONG);
  }
  // `left` moves to the end first: it lies in the same array.
  std::memmove(rest_.data() + kRestSize - left.size(), left.data(), left.size());
  char* out = rest_.data() + kRestSize - left.size();
  if (slash != 0) {
    *--out = '/';
  }
  out -= behind.size();
  if (!behind.empty()) {
    std::memcpy(out, behind.data(), behind.size());
  }
  out -= target.size();
  std::memcpy(out, target.data(), target.size());
  rest_at_ = static_cast<std::size_t>(out - rest_.data());
  rest_end_ = kRestSize;

  const auto link_at = static_cast<std::size_t>(sent.data() - path_.data()) + stop_.start;
  if (target.front() == '/') {
    return go_to_root();
  }
  truncate_path(link_at == 0 ? 0 : link_at - 1);
  verified_size_ = path_size_;  // the file system walked up to the symlink
  return {};
}

/// To the object that a magic link leads to. What stood behind the link goes on from there.
Result<void> PathWalk::jump() {
  const std::string_view sent = spec(Follow::Yes).path;
  if (stop_.end > sent.size()) {
    return fail(EIO);
  }
  const std::string_view behind = sent.substr(stop_.end);
  const std::string_view left = behind_link(*this);
  // Both come behind the object: first into rest_, as follow_link() does.
  const std::size_t slash = left.empty() || left.front() == '/' ? 0 : 1;
  if (behind.size() + slash + left.size() >= kRestSize) {
    return fail(ENAMETOOLONG);
  }
  std::memmove(rest_.data() + kRestSize - left.size(), left.data(), left.size());
  char* out = rest_.data() + kRestSize - left.size();
  if (slash != 0) {
    *--out = '/';
  }
  out -= behind.size();
  std::memcpy(out, behind.data(), behind.size());
  rest_at_ = static_cast<std::size_t>(out - rest_.data());
  rest_end_ = kRestSize;

  const std::string_view path = stop_.text();
  mount_ = std::exchange(stop_.jump_mount, nullptr);
  std::memcpy(path_.data(), path.data(), path.size());
  path_size_ = path.size();
  verified_size_ = 0;  // it may be no directory
  base_size_ = stop_.jump_node != nullptr ? path_size_ : 0;
  base_ = stop_.jump_node != nullptr ? std::exchange(stop_.jump_node, nullptr) : mount_->root;
  last_ = LastName::Normal;
  return {};
}

Result<void> PathWalk::resolve_parent() {
  for (;;) {
    TRY(consume());
    if (overlong_) {
      return verify_parent_of_overlong();
    }
    if (last_ == LastName::Dot && verified_size_ < path_size_) {
      TRY(verify());  // the directory that it stands in is all of it
      continue;
    }
    const std::size_t slash = path().rfind('/');
    const std::size_t parent = slash == std::string_view::npos ? 0 : slash;
    if (path_size_ == 0 || parent <= verified_size_) {
      return {};
    }
    // Walk the parent alone: shorten, ask, put the name back.
    const std::size_t whole = path_size_;
    path_size_ = parent;
    stop_.hit = false;
    const Result<abi::FileAttr> attr = base_->walk(spec(Follow::Yes));
    if (attr) {
      path_size_ = whole;
      verified_size_ = parent;
      return S_ISDIR(attr->mode) ? Result<void>{} : fail(ENOTDIR);
    }
    if (!stop_.hit) {
      return tl::unexpected(attr.error());
    }
    // The name returns to the rest, which is empty here but for slashes.
    const std::size_t name_size = whole - parent - 1;
    rest_at_ = kRestSize - name_size;
    rest_end_ = kRestSize;
    std::memcpy(rest_.data() + rest_at_, path_.data() + parent + 1, name_size);
    TRY(follow_link());
  }
}

}  // namespace runhl::kernel
