// SPDX-License-Identifier: Apache-2.0
// Attributes of files in memory.
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/limits.h>
#include <linux/magic.h>
#include <sys/stat.h>

#include <algorithm>

#include "fs/permission.h"
#include "fs/tmpfs/rules.h"
#include "fs/tmpfs/tmpfs.h"
#include "proc/task.h"

namespace runhl::kernel {

void TmpfsNode::touch(bool modified) {
  changed_ = true;
  attr_.changed = file_time_now();
  if (modified) {
    attr_.modified = attr_.changed;
  }
}

abi::FileAttr TmpfsNode::filled_attr() const {
  abi::FileAttr attr = attr_;
  attr.blocks = pages_.data_pages() * (kPageSize / 512);
  if (S_ISDIR(attr.mode)) {
    attr.size =
        (own_names_ + lower_names_ - hidden_names_) * 20ULL + 40;  // as Linux's tmpfs counts
  }
  return attr;
}

Result<abi::FileAttr> TmpfsNode::attributes() {
  const Mutex::Guard guard(instance_->lock);
  return filled_attr();
}

Result<void> TmpfsNode::set_mode(const PathSpec& at, std::uint32_t mode) {
  const Mutex::Guard guard(instance_->lock);
  const Ref<TmpfsNode> node = TRY(find_node(at));
  if (S_ISLNK(node->attr_.mode)) {
    return fail(EOPNOTSUPP);
  }
  if (!owns_file(node->attr_)) {
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
  const Ref<TmpfsNode> node = TRY(find_node(at));
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
  const Ref<TmpfsNode> node = TRY(find_node(at));
  const bool all_now = times[0].nanoseconds == UTIME_NOW && times[1].nanoseconds == UTIME_NOW;
  if (!owns_file(node->attr_)) {
    if (!all_now) {
      return fail(EPERM);
    }
    TRY(require_access(node->attr_, kAccessWrite));
  }
  const auto apply = [](abi::Timestamp& field, const abi::Timestamp& wanted) {
    if (wanted.nanoseconds != UTIME_OMIT) {
      field = wanted.nanoseconds == UTIME_NOW ? file_time_now() : wanted;
    }
  };
  apply(node->attr_.accessed, times[0]);
  apply(node->attr_.modified, times[1]);
  node->touch(false);
  return {};
}

Result<abi::StatFsReply> TmpfsNode::statfs() {
  const PageQuota& quota = instance_->quota;
  abi::StatFsReply reply{};
  reply.type = TMPFS_MAGIC;
  reply.block_size = reply.fragment_size = kPageSize;
  reply.blocks = quota.limit() / kPageSize;
  reply.blocks_free = reply.blocks_available =
      (quota.limit() - std::min(quota.used(), quota.limit())) / kPageSize;
  reply.name_length = NAME_MAX;
  if (instance_->inode_limit != 0) {
    const std::uint64_t inodes = instance_->inodes.load(std::memory_order_relaxed);
    reply.files = instance_->inode_limit;
    reply.files_free = reply.files - std::min(inodes, reply.files);
  }
  return reply;
}

Result<std::size_t> TmpfsNode::get_xattr(const PathSpec& at, std::string_view name,
                                         std::span<std::byte> out) {
  const Mutex::Guard guard(instance_->lock);
  const Ref<TmpfsNode> node = TRY(find_node(at));
  TRY(check_xattr(node->attr_, name, XattrUse::Get));
  return node->xattrs_.get(name, out);
}

Result<void> TmpfsNode::set_xattr(const PathSpec& at, std::string_view name,
                                  const XattrValue& value) {
  const Mutex::Guard guard(instance_->lock);
  const Ref<TmpfsNode> node = TRY(find_node(at));
  TRY(check_xattr(node->attr_, name, XattrUse::Set));
  TRY(node->xattrs_.set(name, value));
  node->touch(false);
  return {};
}

Result<std::size_t> TmpfsNode::list_xattrs(const PathSpec& at, std::span<std::byte> out) {
  const Mutex::Guard guard(instance_->lock);
  return TRY(find_node(at))->xattrs_.list(out);
}

Result<void> TmpfsNode::remove_xattr(const PathSpec& at, std::string_view name) {
  const Mutex::Guard guard(instance_->lock);
  const Ref<TmpfsNode> node = TRY(find_node(at));
  TRY(check_xattr(node->attr_, name, XattrUse::Set));
  TRY(node->xattrs_.remove(name));
  node->touch(false);
  return {};
}

}  // namespace runhl::kernel
