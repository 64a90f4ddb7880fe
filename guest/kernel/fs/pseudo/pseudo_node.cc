// SPDX-License-Identifier: Apache-2.0
#include "fs/pseudo/pseudo_node.h"

#include <fcntl.h>
#include <linux/limits.h>
#include <sys/stat.h>

#include <algorithm>

#include "fs/permission.h"
#include "host/clock.h"
#include "proc/task.h"
#include "runhl/abi/layout.h"

namespace runhl::kernel {

Result<Ref<PseudoNode>> PseudoNode::child(std::string_view /*name*/) {
  return fail(ENOTDIR);
}

Result<std::size_t> PseudoNode::link_text(std::span<char> /*text*/) {
  return fail(EINVAL);
}

Result<bool> PseudoNode::jump(LinkStop& /*stop*/) {
  return false;
}

Result<void> PseudoNode::permit(std::uint32_t access) {
  return check_access(describe(), file_identity(current().credentials), access);
}

Result<abi::FileAttr> PseudoNode::attributes() {
  abi::FileAttr attr = describe();
  attr.device = system_.device;
  attr.block_size = 1024;  // as proc and sysfs say
  attr.links = std::max(attr.links, S_ISDIR(attr.mode) ? 2U : 1U);
  const __kernel_timespec time = to_timespec(realtime_now());
  attr.accessed = {.seconds = time.tv_sec,
                   .nanoseconds = static_cast<std::uint32_t>(time.tv_nsec),
                   .reserved = 0};
  attr.modified = attr.changed = attr.accessed;
  return attr;
}

Result<abi::StatFsReply> PseudoNode::statfs() {
  abi::StatFsReply reply{};
  reply.type = system_.magic;
  reply.block_size = reply.fragment_size = kPageSize;
  reply.name_length = NAME_MAX;
  return reply;
}

Result<void> PseudoNode::truncate(std::uint64_t /*size*/) {
  return {};  // the next write says what becomes of it, as on Linux
}

Result<void> PseudoNode::stop_at_link(PseudoNode& link, const PathSpec& at, std::size_t begin,
                                      std::size_t end) {
  if (at.stop == nullptr) {
    return fail(ELOOP);
  }
  LinkStop& stop = *at.stop;
  if (!TRY(link.jump(stop))) {
    stop.length = static_cast<std::uint32_t>(TRY(link.link_text(stop.target)));
  }
  stop.start = static_cast<std::uint32_t>(begin);
  stop.end = static_cast<std::uint32_t>(end);
  stop.hit = true;
  return fail(ELOOP);
}

Result<Ref<PseudoNode>> PseudoNode::find(const PathSpec& at) {
  Ref<PseudoNode> node(this);
  std::size_t begin = 0;
  while (begin < at.path.size()) {
    const std::size_t end = std::min(at.path.find('/', begin), at.path.size());
    const std::string_view name = at.path.substr(begin, end - begin);
    if (!S_ISDIR(node->describe().mode)) {
      return fail(ENOTDIR);
    }
    TRY(node->permit(kAccessExecute));
    if (name.size() > NAME_MAX) {
      return fail(ENAMETOOLONG);
    }
    node = TRY(node->child(name));
    const bool last = end == at.path.size();
    if (S_ISLNK(node->describe().mode) && (at.follow || !last)) {
      TRY(stop_at_link(*node, at, begin, end));
    }
    begin = end + 1;
  }
  return node;
}

Result<abi::FileAttr> PseudoNode::walk(const PathSpec& at) {
  return TRY(find(at))->attributes();
}

Result<OpenedNode> PseudoNode::open(const PathSpec& at, const OpenRequest& request) {
  const std::uint32_t flags = request.flags;
  PathSpec last = at;
  const bool exclusive = (flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL);
  last.follow = at.follow && !exclusive;
  Result<Ref<PseudoNode>> found = find(last);
  if (!found) {
    const bool creates = (flags & O_CREAT) != 0 && to_int(found.error()) == ENOENT;
    return creates ? fail(system_.create_error) : tl::unexpected(found.error());
  }
  PseudoNode& node = **found;
  const abi::FileAttr attr = TRY(node.attributes());
  if (exclusive) {
    return fail(EEXIST);
  }
  if ((flags & O_DIRECTORY) != 0 && !S_ISDIR(attr.mode)) {
    return fail(ENOTDIR);
  }
  if ((flags & O_PATH) != 0) {
    return OpenedNode{.node = std::move(*found), .attr = attr};
  }
  if (S_ISLNK(attr.mode)) {
    return fail(ELOOP);
  }
  const bool writes = (flags & O_ACCMODE) != O_RDONLY;
  if (S_ISDIR(attr.mode) && (writes || (flags & O_CREAT) != 0)) {
    return fail(EISDIR);
  }
  std::uint32_t access = (flags & O_ACCMODE) == O_WRONLY ? 0U : std::uint32_t{kAccessRead};
  access |= writes || (flags & O_TRUNC) != 0 ? std::uint32_t{kAccessWrite} : 0U;
  TRY(node.permit(access));
  if (!S_ISREG(attr.mode) && !S_ISDIR(attr.mode)) {
    return OpenedNode{.node = nullptr, .attr = attr};
  }
  return OpenedNode{.node = std::move(*found), .attr = attr};
}

Result<std::size_t> PseudoNode::read_link(const PathSpec& at, std::span<char> target) {
  PathSpec last = at;
  last.follow = false;
  return TRY(find(last))->link_text(target);
}

Result<void> PseudoNode::refuse_creation(const PathSpec& at) {
  PathSpec last = at;
  last.follow = false;
  const Result<Ref<PseudoNode>> found = find(last);
  if (found) {
    return fail(EEXIST);
  }
  if (to_int(found.error()) != ENOENT || system_.create_error == ENOENT) {
    return tl::unexpected(found.error());
  }
  return fail(EPERM);
}

Result<void> PseudoNode::make_directory(const PathSpec& at, std::uint32_t /*mode*/) {
  return refuse_creation(at);
}

Result<void> PseudoNode::make_symlink(const PathSpec& at, std::string_view /*target*/) {
  return refuse_creation(at);
}

Result<void> PseudoNode::remove(const PathSpec& at, bool /*directory*/) {
  PathSpec last = at;
  last.follow = false;
  TRY(find(last));
  return fail(EPERM);
}

// glibc's fchmodat(AT_SYMLINK_NOFOLLOW) goes through /proc/self/fd/N, as do many others that hold
// an O_PATH descriptor.

Result<void> PseudoNode::set_mode(const PathSpec& at, std::uint32_t mode) {
  TRY(find(at));
  return Node::set_mode(at, mode);
}

Result<void> PseudoNode::set_owner(const PathSpec& at, OwnerChange owner) {
  TRY(find(at));
  return Node::set_owner(at, owner);
}

Result<void> PseudoNode::set_times(const PathSpec& at, const std::array<abi::Timestamp, 2>& times) {
  TRY(find(at));
  return Node::set_times(at, times);
}

Result<std::size_t> PseudoNode::get_xattr(const PathSpec& at, std::string_view name,
                                          std::span<std::byte> out) {
  TRY(find(at));
  return Node::get_xattr(at, name, out);
}

Result<void> PseudoNode::set_xattr(const PathSpec& at, std::string_view name,
                                   const XattrValue& value) {
  TRY(find(at));
  return Node::set_xattr(at, name, value);
}

Result<std::size_t> PseudoNode::list_xattrs(const PathSpec& at, std::span<std::byte> out) {
  TRY(find(at));
  return Node::list_xattrs(at, out);
}

Result<void> PseudoNode::remove_xattr(const PathSpec& at, std::string_view name) {
  TRY(find(at));
  return Node::remove_xattr(at, name);
}

}  // namespace runhl::kernel
