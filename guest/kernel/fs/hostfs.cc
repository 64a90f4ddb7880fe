// SPDX-License-Identifier: Apache-2.0
#include "fs/hostfs.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>

#include "fs/injected_files.h"
#include "host/host_call.h"

namespace runhl::kernel {
namespace {

/// What Open passes on; the rest is the guest's own (O_APPEND, O_NONBLOCK, O_CLOEXEC, O_NOCTTY).
constexpr std::uint32_t kHostOpenFlags = O_ACCMODE | O_CREAT | O_EXCL | O_TRUNC | O_DIRECTORY |
                                         O_DIRECT | O_DSYNC | O_SYNC | O_NOATIME | O_PATH |
                                         O_TMPFILE;

Result<void> append_path(HostRequest& request, std::string_view path, std::size_t at) {
  if (path.size() >= abi::kMaxPath) {
    return fail(ENAMETOOLONG);
  }
  if (!path.empty()) {
    std::memcpy(request.bounce().data() + at, path.data(), path.size());
  }
  return {};
}

/// The call, with a symlink in the way noted for the path walk.
Result<std::int64_t> call_with_path(HostRequest& request, const PathSpec& at) {
  Result<std::int64_t> result = request.call();
  if (!result && to_int(result.error()) == ESTALE) {
    result = request.call();  // a symlink went away under the monitor's eyes; paths are as sent
  }
  if (result || to_int(result.error()) != ELOOP || at.stop == nullptr) {
    return result;
  }
  const abi::RequestReply& reply = request.slot().reply;
  const bool named =
      reply.length != 0 && reply.link_end > reply.link_start && reply.link_end <= at.path.size();
  if (named && (at.follow || reply.link_end < at.path.size())) {
    LinkStop& stop = *at.stop;
    stop.hit = true;
    stop.start = reply.link_start;
    stop.end = reply.link_end;
    stop.length = std::min<std::uint32_t>(reply.length, abi::kMaxPath);
    std::memcpy(stop.target.data(), request.bounce().data(), stop.length);
  }
  return result;
}

}  // namespace

HostNode::~HostNode() {
  injected_->forget(*this);
  if (!owned_) {
    return;
  }
  Result<HostRequest> request = start(abi::HostOp::Close);
  if (request) {
    (void)request->call();  // the handle is gone either way
  }
}

Result<HostRequest> HostNode::start(abi::HostOp op) const {
  HostRequest request = TRY(HostRequest::acquire());
  abi::RequestSlot& slot = request.slot();
  slot.op = op;
  slot.handle = handle_;
  slot.flags = 0;
  slot.slot = -1;
  slot.path_length = 0;
  slot.path2_length = 0;
  slot.reply.length = 0;
  slot.reply.attr.mode = 0;
  return request;
}

Result<HostRequest> HostNode::start(abi::HostOp op, const PathSpec& at) const {
  HostRequest request = TRY(start(op));
  TRY(append_path(request, at.path, 0));
  request.slot().path_length = static_cast<std::uint32_t>(at.path.size());
  request.slot().flags = at.follow ? 0 : abi::kNoFollow;
  request.slot().masked = at.masked;
  return request;
}

Result<abi::FileAttr> HostNode::attributes() {
  HostRequest request = TRY(start(abi::HostOp::Attributes));
  TRY(request.call());
  return request.slot().reply.attr;
}

Result<std::size_t> HostNode::read_at(IoBuffer& buffer, std::uint64_t offset) {
  HostRequest request = TRY(start(abi::HostOp::Read));
  std::size_t done = 0;
  while (!buffer.full()) {
    const std::size_t want = std::min<std::size_t>(buffer.remaining(), abi::kBounceSize);
    request.slot().offset = offset + done;
    request.slot().length = want;
    const Result<std::int64_t> got = request.call();
    if (!got) {
      return done != 0 ? Result<std::size_t>(done) : tl::unexpected(got.error());
    }
    const std::size_t bytes = std::min(static_cast<std::size_t>(*got), want);
    const Result<std::size_t> moved = buffer.put(request.bounce().data(), bytes);
    if (!moved) {
      return done != 0 ? Result<std::size_t>(done) : moved;
    }
    done += *moved;
    if (*moved < want) {
      break;
    }
  }
  return done;
}

Result<std::size_t> HostNode::write_at(IoBuffer& buffer, std::uint64_t offset, std::uint64_t& end) {
  HostRequest request = TRY(start(abi::HostOp::Write));
  const bool append = offset == kAppendOffset;
  std::size_t done = 0;
  while (!buffer.full()) {
    const Result<std::size_t> taken = buffer.take(request.bounce().data(), abi::kBounceSize);
    if (!taken) {
      return done != 0 ? Result<std::size_t>(done) : taken;
    }
    request.slot().flags = append ? abi::kAppend : 0;
    request.slot().offset = append ? 0 : offset + done;
    request.slot().length = *taken;
    const Result<std::int64_t> put = request.call();
    if (!put) {
      return done != 0 ? Result<std::size_t>(done) : tl::unexpected(put.error());
    }
    const std::size_t bytes = std::min(static_cast<std::size_t>(*put), *taken);
    done += bytes;
    end = append ? request.slot().reply.attr.size : offset + done;
    if (bytes < *taken) {
      break;
    }
  }
  return done;
}

Result<EndOfDirectory> HostNode::read_directory(std::uint64_t& cookie, DirSink& sink) {
  HostRequest request = TRY(start(abi::HostOp::ReadDir));
  request.slot().offset = cookie;
  request.slot().length = std::clamp<std::uint64_t>(sink.capacity(), 4096, abi::kBounceSize);
  const std::size_t bytes = static_cast<std::size_t>(TRY(request.call()));
  if (bytes == 0) {
    return EndOfDirectory::Yes;
  }
  std::size_t at = 0;
  while (at + sizeof(abi::DirRecord) <= std::min<std::size_t>(bytes, abi::kBounceSize)) {
    abi::DirRecord record;
    std::memcpy(&record, request.bounce().data() + at, sizeof record);
    if (record.record_length < sizeof record + record.name_length ||
        at + record.record_length > abi::kBounceSize) {
      return fail(EIO);
    }
    // SAFETY: the name lies inside the record, which was just bounded by the bounce buffer.
    const std::string_view name(
        reinterpret_cast<const char*>(request.bounce().data()) + at + sizeof record,
        record.name_length);
    if (name != "." && name != ".." && !sink.add(name, record.inode, record.cookie, record.type)) {
      return EndOfDirectory::No;
    }
    cookie = record.cookie;
    at += record.record_length;
  }
  return EndOfDirectory::No;
}

Result<void> HostNode::truncate(std::uint64_t size) {
  HostRequest request = TRY(start(abi::HostOp::Truncate));
  request.slot().length = size;
  TRY(request.call());
  return {};
}

Result<void> HostNode::sync(bool data_only) {
  HostRequest request = TRY(start(abi::HostOp::Sync));
  request.slot().flags = data_only ? abi::kDataOnly : 0;
  TRY(request.call());
  return {};
}

Result<void> HostNode::sync_range(std::uint64_t offset, std::uint64_t length, std::uint32_t flags) {
  HostRequest request = TRY(start(abi::HostOp::SyncRange));
  request.slot().offset = offset;
  request.slot().length = length;
  request.slot().mode = flags;
  TRY(request.call());
  return {};
}

Result<void> HostNode::sync_filesystem() {
  HostRequest request = TRY(start(abi::HostOp::SyncFs));
  TRY(request.call());
  return {};
}

Result<void> HostNode::allocate(std::uint32_t mode, std::uint64_t offset, std::uint64_t length) {
  HostRequest request = TRY(start(abi::HostOp::Allocate));
  request.slot().mode = mode;
  request.slot().offset = offset;
  request.slot().length = length;
  TRY(request.call());
  return {};
}

Result<std::uint64_t> HostNode::seek(std::uint64_t offset, int whence) {
  HostRequest request = TRY(start(abi::HostOp::Seek));
  request.slot().mode = static_cast<std::uint32_t>(whence);
  request.slot().offset = offset;
  return static_cast<std::uint64_t>(TRY(request.call()));
}

Result<std::size_t> HostNode::copy_range(std::uint64_t offset, Node& to, std::uint64_t to_offset,
                                         std::uint64_t length) {
  if (to.filesystem() != filesystem()) {
    return fail(EXDEV);
  }
  HostRequest request = TRY(start(abi::HostOp::CopyRange));
  request.slot().offset = offset;
  // SAFETY: of this file system, so it is a HostNode.
  request.slot().handle2 = static_cast<HostNode&>(to).handle_;
  request.slot().offset2 = to_offset;
  request.slot().length = length;
  return static_cast<std::size_t>(TRY(request.call()));
}

Result<abi::StatFsReply> HostNode::statfs() {
  HostRequest request = TRY(start(abi::HostOp::StatFs));
  TRY(request.call());
  abi::StatFsReply reply;
  std::memcpy(&reply, request.bounce().data(), sizeof reply);
  return reply;
}

Result<aspace::Backing> HostNode::backing(std::uint64_t offset, std::uint64_t /*length*/,
                                          MapUse use) {
  const Result<int> slot = injected_->slot_for(*this, use == MapUse::SharedWrite);
  if (!slot) {
    // No injection of this file (or none at all here): the caller copies if it can.
    return to_int(slot.error()) == ENOMEM ? fail(ENOMEM) : fail(ENODEV);
  }
  return aspace::Backing{.kind = aspace::Backing::Kind::Injected, .slot = *slot, .offset = offset};
}

Result<abi::FileAttr> HostNode::walk(const PathSpec& at) {
  HostRequest request = TRY(start(abi::HostOp::Walk, at));
  TRY(call_with_path(request, at));
  return request.slot().reply.attr;
}

Result<OpenedNode> HostNode::open(const PathSpec& at, const OpenRequest& wanted) {
  auto* node = new (std::nothrow) HostNode(-1, false, injected_);
  if (node == nullptr) {
    return fail(ENOMEM);
  }
  OpenedNode opened{.node = Ref<Node>(node), .attr = {}};
  HostRequest request = TRY(start(abi::HostOp::Open, at));
  abi::RequestSlot& slot = request.slot();
  slot.flags |= wanted.flags & kHostOpenFlags;
  slot.mode = wanted.mode;
  slot.slot = wanted.inject ? injected_->reserve() : -1;
  const int reserved = slot.slot;
  const Result<std::int64_t> handle = call_with_path(request, at);
  if (!handle) {
    if (reserved >= 0) {
      injected_->give_back(reserved);
    }
    if (to_int(handle.error()) != ENXIO || slot.reply.attr.mode == 0) {
      return tl::unexpected(handle.error());
    }
    return OpenedNode{.node = nullptr, .attr = slot.reply.attr};
  }
  node->handle_ = static_cast<abi::Handle>(*handle);
  node->owned_ = true;
  opened.attr = slot.reply.attr;
  if (reserved >= 0) {
    if (S_ISREG(opened.attr.mode)) {
      injected_->adopt(reserved, *node);
    } else {
      injected_->give_back(reserved);
    }
  }
  return opened;
}

Result<std::size_t> HostNode::read_link(const PathSpec& at, std::span<char> target) {
  PathSpec link = at;
  link.follow = false;
  HostRequest request = TRY(start(abi::HostOp::ReadLink, link));
  const std::size_t length = static_cast<std::size_t>(TRY(call_with_path(request, link)));
  const std::size_t bytes = std::min({length, target.size(), std::size_t{abi::kBounceSize}});
  std::memcpy(target.data(), request.bounce().data(), bytes);
  return bytes;
}

Result<void> HostNode::make_directory(const PathSpec& at, std::uint32_t mode) {
  HostRequest request = TRY(start(abi::HostOp::MakeDir, at));
  request.slot().mode = mode;
  TRY(call_with_path(request, at));
  return {};
}

Result<void> HostNode::make_symlink(const PathSpec& at, std::string_view target) {
  HostRequest request = TRY(start(abi::HostOp::Symlink, at));
  TRY(append_path(request, target, at.path.size()));
  request.slot().path2_length = static_cast<std::uint32_t>(target.size());
  TRY(call_with_path(request, at));
  return {};
}

Result<void> HostNode::remove(const PathSpec& at, bool directory) {
  HostRequest request = TRY(start(abi::HostOp::Unlink, at));
  request.slot().flags |= directory ? abi::kRemoveDir : 0;
  TRY(call_with_path(request, at));
  return {};
}

Result<void> HostNode::run_two_paths(abi::HostOp op, const PathSpec& at, Node& to,
                                     const PathSpec& to_at, std::uint32_t flags) {
  // SAFETY: the caller compared filesystem(), so `to` is a HostNode.
  auto& host_to = static_cast<HostNode&>(to);
  HostRequest request = TRY(start(op, at));
  TRY(append_path(request, to_at.path, at.path.size()));
  request.slot().flags |= flags;
  request.slot().handle2 = host_to.handle_;
  request.slot().path2_length = static_cast<std::uint32_t>(to_at.path.size());
  TRY(request.call());
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
  TRY(call_with_path(request, at));
  return {};
}

Result<void> HostNode::link_self(Node& to, const PathSpec& to_at) {
  return run_two_paths(abi::HostOp::LinkHandle, {}, to, to_at, 0);
}

Result<void> HostNode::set_mode(const PathSpec& at, std::uint32_t mode) {
  HostRequest request = TRY(start(abi::HostOp::SetMode, at));
  request.slot().mode = mode;
  TRY(call_with_path(request, at));
  return {};
}

Result<void> HostNode::set_owner(const PathSpec& at, OwnerChange owner) {
  HostRequest request = TRY(start(abi::HostOp::SetOwner, at));
  request.slot().uid = owner.uid;
  request.slot().gid = owner.gid;
  TRY(call_with_path(request, at));
  return {};
}

Result<void> HostNode::set_times(const PathSpec& at, const std::array<abi::Timestamp, 2>& times) {
  HostRequest request = TRY(start(abi::HostOp::SetTimes, at));
  request.slot().times = times;
  TRY(call_with_path(request, at));
  return {};
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
  TRY(call_with_path(request, at));
  return {};
}

Result<void> HostNode::remove_xattr(const PathSpec& at, std::string_view name) {
  HostRequest request = TRY(start_xattr(abi::HostOp::RemoveXattr, at, name));
  TRY(call_with_path(request, at));
  return {};
}

}  // namespace runhl::kernel
