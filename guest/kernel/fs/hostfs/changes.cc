// SPDX-License-Identifier: Apache-2.0
// What changes names and attributes in a granted tree. The cache is told.
#include <linux/fs.h>

#include <algorithm>
#include <cstring>

#include "fs/hostfs/host_node.h"
#include "fs/hostfs/name_cache.h"
#include "fs/hostfs/request.h"

namespace runhl::kernel {
using hostfs::append_path;
using hostfs::call_with_path;
using hostfs::send;

/// Runs an operation and tells the cache what it did.
Result<void> HostNode::change(HostRequest& request, const PathSpec& at, Change kind) {
  CachedInode* const inode = cached();
  TRY(call_with_path(request, at));
  if (inode == nullptr) {
    return {};
  }
  const abi::FileAttr* const attr = &request.slot().reply.attr;
  switch (kind) {
    case Change::Make:
      tree_.cache->created(*inode, at.path, attr);
      break;
    case Change::Remove:
      tree_.cache->removed(*inode, at.path);
      break;
    case Change::Modify:
      tree_.cache->changed_at(*inode, at.path, attr);
      break;
  }
  return {};
}

Result<void> HostNode::make_directory(const PathSpec& at, std::uint32_t mode) {
  HostRequest request = TRY(start(abi::HostOp::MakeDir, at));
  request.slot().mode = mode;
  return change(request, at, Change::Make);
}

Result<void> HostNode::make_symlink(const PathSpec& at, std::string_view target) {
  HostRequest request = TRY(start(abi::HostOp::Symlink, at));
  TRY(append_path(request, target, at.path.size()));
  request.slot().path2_length = static_cast<std::uint32_t>(target.size());
  return change(request, at, Change::Make);
}

Result<void> HostNode::remove(const PathSpec& at, bool directory) {
  forget_parked(at);
  HostRequest request = TRY(start(abi::HostOp::Unlink, at));
  request.slot().flags |= directory ? abi::kRemoveDir : 0;
  return change(request, at, Change::Remove);
}

Result<void> HostNode::run_two_paths(abi::HostOp op, const PathSpec& at, Node& to,
                                     const PathSpec& to_at, std::uint32_t flags) {
  // SAFETY: the caller compared filesystem(), so `to` is a HostNode.
  auto& host_to = static_cast<HostNode&>(to);
  host_to.forget_parked(to_at);
  HostRequest request = TRY(start(op, at));
  TRY(append_path(request, to_at.path, at.path.size()));
  request.slot().flags |= flags;
  request.slot().handle2 = host_to.file_.handle;
  request.slot().path2_length = static_cast<std::uint32_t>(to_at.path.size());
  CachedInode* const from_inode = cached();
  CachedInode* const to_inode = host_to.cached();
  TRY(send(request));
  const abi::FileAttr& attr = request.slot().reply.attr;
  const bool keeps_name = (flags & (RENAME_EXCHANGE | RENAME_WHITEOUT)) != 0;
  if (op == abi::HostOp::Rename && from_inode != nullptr) {
    if (keeps_name) {
      tree_.cache->created(*from_inode, at.path, nullptr);  // something else is there now
    } else {
      tree_.cache->removed(*from_inode, at.path);
    }
  }
  if (to_inode != nullptr) {
    host_to.tree_.cache->created(*to_inode, to_at.path, &attr);
  }
  if (op == abi::HostOp::LinkHandle && from_inode != nullptr) {
    tree_.cache->changed(*from_inode, &attr);
  }
  return {};
}

Result<void> HostNode::rename(const PathSpec& at, Node& to, const PathSpec& to_at,
                              std::uint32_t flags) {
  PathSpec from = at;
  from.follow = true;  // no flag bits but rename's own
  return run_two_paths(abi::HostOp::Rename, from, to, to_at, flags);
}

Result<void> HostNode::make_link(const PathSpec& at, Node& to, const PathSpec& to_at) {
  return run_two_paths(abi::HostOp::Link, at, to, to_at, 0);
}

Result<void> HostNode::make_special(const PathSpec& at, std::uint32_t mode, DeviceNumber number) {
  HostRequest request = TRY(start(abi::HostOp::MakeNode, at));
  request.slot().mode = mode;
  request.slot().rdev_major = number.major;
  request.slot().rdev_minor = number.minor;
  return change(request, at, Change::Make);
}

Result<void> HostNode::link_self(Node& to, const PathSpec& to_at) {
  return run_two_paths(abi::HostOp::LinkHandle, {}, to, to_at, 0);
}

Result<void> HostNode::set_mode(const PathSpec& at, std::uint32_t mode) {
  HostRequest request = TRY(start(abi::HostOp::SetMode, at));
  request.slot().mode = mode;
  return change(request, at, Change::Modify);
}

Result<void> HostNode::set_owner(const PathSpec& at, OwnerChange owner) {
  HostRequest request = TRY(start(abi::HostOp::SetOwner, at));
  request.slot().uid = owner.uid;
  request.slot().gid = owner.gid;
  return change(request, at, Change::Modify);
}

Result<void> HostNode::set_times(const PathSpec& at, const std::array<abi::Timestamp, 2>& times) {
  HostRequest request = TRY(start(abi::HostOp::SetTimes, at));
  request.slot().times = times;
  return change(request, at, Change::Modify);
}

// ---- extended attributes -----------------------------------------------------------------------

Result<HostRequest> HostNode::start_xattr(abi::HostOp op, const PathSpec& at,
                                          std::string_view name) const {
  HostRequest request = TRY(start(op, at));
  if (name.size() >= abi::kMaxPath) {
    return fail(ERANGE);
  }
  std::memcpy(request.bounce().data() + at.path.size(), name.data(), name.size());
  request.slot().path2_length = static_cast<std::uint32_t>(name.size());
  return request;
}

namespace {

/// The call whose answer is text or a value in the bounce buffer.
Result<std::size_t> call_for_bytes(HostRequest& request, const PathSpec& at,
                                   std::span<std::byte> out) {
  request.slot().length = std::min<std::size_t>(out.size(), abi::kBounceSize);
  const auto size = static_cast<std::size_t>(TRY(call_with_path(request, at)));
  if (!out.empty()) {
    std::memcpy(out.data(), request.bounce().data(), std::min(size, out.size()));
  }
  return size;
}

}  // namespace

Result<std::size_t> HostNode::get_xattr(const PathSpec& at, std::string_view name,
                                        std::span<std::byte> out) {
  HostRequest request = TRY(start_xattr(abi::HostOp::GetXattr, at, name));
  return call_for_bytes(request, at, out);
}

Result<std::size_t> HostNode::list_xattrs(const PathSpec& at, std::span<std::byte> out) {
  HostRequest request = TRY(start(abi::HostOp::ListXattr, at));
  return call_for_bytes(request, at, out);
}

Result<void> HostNode::set_xattr(const PathSpec& at, std::string_view name,
                                 const XattrValue& value) {
  HostRequest request = TRY(start_xattr(abi::HostOp::SetXattr, at, name));
  const std::size_t head = at.path.size() + name.size();
  if (value.bytes.size() > abi::kBounceSize - head) {
    return fail(ENOSPC);  // no host file system that we know holds so much in one attribute
  }
  if (!value.bytes.empty()) {
    std::memcpy(request.bounce().data() + head, value.bytes.data(), value.bytes.size());
  }
  request.slot().length = value.bytes.size();
  request.slot().mode = value.flags;
  return change(request, at, Change::Modify);
}

Result<void> HostNode::remove_xattr(const PathSpec& at, std::string_view name) {
  HostRequest request = TRY(start_xattr(abi::HostOp::RemoveXattr, at, name));
  return change(request, at, Change::Modify);
}

}  // namespace runhl::kernel
