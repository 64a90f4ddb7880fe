// SPDX-License-Identifier: Apache-2.0
#include "fs/hostfs/host_node.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <array>
#include <cstring>

#include "fs/hostfs/injected_files.h"
#include "fs/hostfs/read_ahead.h"
#include "fs/hostfs/request.h"
#include "host/events.h"
#include "mm/address_space.h"
#include "proc/task.h"

namespace runhl::kernel {
namespace {

using hostfs::send;

bool waits_for_disk(abi::HostOp op) {
  return op == abi::HostOp::Sync || op == abi::HostOp::SyncFs || op == abi::HostOp::SyncRange ||
         op == abi::HostOp::CopyRange;
}

}  // namespace

/// Nobody goes on with it.
void HostNode::close(const HostFile& file, Close how) const {
  if (file.injected) {
    tree_.injected->forget(file.handle);
  }
  const Process* const process = file.window_serial != 0 ? current().process : nullptr;
  if (process != nullptr && process->mm != nullptr) {
    process->mm->file_windows().forget(file.window_serial);
  }
  if (how == Close::Never || (how == Close::Later && hostfs::close_later(file.handle))) {
    return;
  }
  Result<HostRequest> request = start(abi::HostOp::Close);
  if (request) {
    request->slot().handle = file.handle;
    (void)send(*request);  // the handle is gone either way
  }  // else the last of many that hang: the handle lives as long as the container
}

HostNode::~HostNode() {
  if (shared_) {
    tree_.ahead->end_sharing();
  }
  if (ahead() != nullptr) {
    ahead()->forget(*this);
  }
  if (!park()) {
    close(file_, close_);
  }
}

CachedInode* HostNode::cached() {
  if (inode_ == nullptr && tree_.cache != nullptr) {
    (void)attributes();  // sets it
  }
  return inode_.get();
}

Result<HostRequest> HostNode::start(abi::HostOp op) const {
  HostRequest request = TRY(
      HostRequest::acquire(may_wait_ || waits_for_disk(op) ? Patience::MayWait : Patience::Short));
  abi::RequestSlot& slot = request.slot();
  slot.op = op;
  slot.handle = file_.handle;
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
  TRY(hostfs::append_path(request, at.path, 0));
  request.slot().path_length = static_cast<std::uint32_t>(at.path.size());
  request.slot().flags = at.follow ? 0 : abi::kNoFollow;
  request.slot().masked = at.masked;
  return request;
}

Result<abi::FileAttr> HostNode::attributes() {
  if (inode_ != nullptr) {
    if (const auto attr = tree_.cache->attributes(*inode_)) {
      return *attr;
    }
  }
  return ask_attributes();
}

Result<abi::FileAttr> HostNode::ask_attributes() {
  HostRequest request = TRY(start(abi::HostOp::Attributes));
  TRY(send(request));
  const abi::FileAttr attr = request.slot().reply.attr;
  if (tree_.cache != nullptr) {
    Ref<CachedInode> inode = tree_.cache->learn(attr);
    if (inode_ == nullptr) {
      inode_ = std::move(inode);
    }
  }
  return attr;
}

Result<void> HostNode::truncate(std::uint64_t size) {
  HostRequest request = TRY(start(abi::HostOp::Truncate));
  request.slot().length = size;
  return change(request, {}, Change::Modify);
}

Result<void> HostNode::sync(bool data_only) {
  HostRequest request = TRY(start(abi::HostOp::Sync));
  request.slot().flags = data_only ? abi::kDataOnly : 0;
  TRY(send(request));
  return {};
}

Result<void> HostNode::sync_range(std::uint64_t offset, std::uint64_t length, std::uint32_t flags) {
  HostRequest request = TRY(start(abi::HostOp::SyncRange));
  request.slot().offset = offset;
  request.slot().length = length;
  request.slot().mode = flags;
  TRY(send(request));
  return {};
}

Result<void> HostNode::sync_filesystem() {
  HostRequest request = TRY(start(abi::HostOp::SyncFs));
  TRY(send(request));
  return {};
}

namespace {

void put_range(abi::RequestSlot& slot, const HostLock& lock) {
  constexpr std::uint64_t kEnd = INT64_MAX;
  slot.offset = lock.start;
  slot.length = lock.end == kEnd ? 0 : lock.end - lock.start + 1;
}

}  // namespace

Result<void> HostNode::lock_on_host(const HostLock& lock) {
  may_park_ = false;  // closing it is what unlocks
  constexpr std::array<std::uint32_t, 3> kRecord{F_UNLCK, F_RDLCK, F_WRLCK};
  constexpr std::array<std::uint32_t, 3> kFile{LOCK_UN, LOCK_SH, LOCK_EX};
  HostRequest request =
      TRY(start(lock.whole_file ? abi::HostOp::FileLock : abi::HostOp::RecordLock));
  request.slot().mode = lock.whole_file ? kFile[lock.type] : kRecord[lock.type];
  put_range(request.slot(), lock);
  TRY(send(request));
  return {};
}

Result<HostLock> HostNode::test_on_host(const HostLock& lock) {
  HostRequest request = TRY(start(abi::HostOp::TestLock));
  request.slot().mode = lock.type == 1 ? F_RDLCK : F_WRLCK;
  put_range(request.slot(), lock);
  TRY(send(request));
  const abi::RequestReply& reply = request.slot().reply;
  if (reply.count == F_UNLCK) {
    return HostLock{};
  }
  return HostLock{
      .whole_file = false,
      .type = static_cast<std::uint8_t>(reply.count == F_RDLCK ? 1 : 2),
      .start = reply.cookie,
      .end = reply.attr.size == 0 ? std::uint64_t{INT64_MAX} : reply.cookie + reply.attr.size - 1};
}

Result<void> HostNode::allocate(std::uint32_t mode, std::uint64_t offset, std::uint64_t length) {
  HostRequest request = TRY(start(abi::HostOp::Allocate));
  request.slot().mode = mode;
  request.slot().offset = offset;
  request.slot().length = length;
  return change(request, {}, Change::Modify);
}

Result<std::uint64_t> HostNode::seek(std::uint64_t offset, int whence) {
  HostRequest request = TRY(start(abi::HostOp::Seek));
  request.slot().mode = static_cast<std::uint32_t>(whence);
  request.slot().offset = offset;
  return static_cast<std::uint64_t>(TRY(send(request)));
}

Result<std::size_t> HostNode::copy_range(std::uint64_t offset, Node& to, std::uint64_t to_offset,
                                         std::uint64_t length) {
  if (to.filesystem() != filesystem()) {
    return fail(EXDEV);
  }
  HostRequest request = TRY(start(abi::HostOp::CopyRange));
  request.slot().offset = offset;
  // SAFETY: of this file system, so it is a HostNode.
  request.slot().handle2 = static_cast<HostNode&>(to).file_.handle;
  request.slot().offset2 = to_offset;
  request.slot().length = length;
  const auto done = static_cast<std::size_t>(TRY(send(request)));
  auto& target = static_cast<HostNode&>(to);
  if (target.inode_ != nullptr) {
    target.tree_.cache->changed(*target.inode_, nullptr);
  }
  return done;
}

Result<abi::StatFsReply> HostNode::statfs() {
  HostRequest request = TRY(start(abi::HostOp::StatFs));
  TRY(send(request));
  abi::StatFsReply reply;
  std::memcpy(&reply, request.bounce().data(), sizeof reply);
  return reply;
}

Result<aspace::Backing> HostNode::backing(std::uint64_t offset, std::uint64_t /*length*/,
                                          MapUse use) {
  // A fault in what may wait would hold up the whole vCPU.
  if (may_wait_ || (monitor_page().flags & abi::kHasInjection) == 0) {
    return fail(ENODEV);  // the caller copies if it can
  }
  if (use == MapUse::SharedWrite && !shared_ && tree_.ahead != nullptr) {
    shared_ = true;
    tree_.ahead->begin_sharing();
  }
  file_.injected = true;
  Result<int> slot = tree_.injected->slot_for(handle(), use == MapUse::SharedWrite);
  if (!slot && to_int(slot.error()) == ENODEV) {
    // It cannot be opened again for reading alone; one that is open for both can show itself.
    slot = tree_.injected->slot_for(handle(), true);
  }
  if (!slot) {
    // No injection of this file (or none at all here): the caller copies if it can.
    return to_int(slot.error()) == ENOMEM ? fail(ENOMEM) : fail(ENODEV);
  }
  return aspace::Backing{.kind = aspace::Backing::Kind::Injected, .slot = *slot, .offset = offset};
}

}  // namespace runhl::kernel
