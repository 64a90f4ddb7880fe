// SPDX-License-Identifier: Apache-2.0
#include "fs/hostfs.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "fs/injected_files.h"
#include "fs/read_ahead.h"
#include "host/clock.h"
#include "host/events.h"
#include "host/host_call.h"
#include "mm/address_space.h"
#include "proc/task.h"

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

/// Handles that nobody uses any more, to be closed on the way of later requests: a close of its own
/// would be a trip for nothing.
class PendingCloses {
 public:
  /// False: there are too many already.
  bool add(abi::Handle handle) {
    const SpinLock::Guard guard(lock_);
    if (count_ == handles_.size()) {
      return false;
    }
    handles_[count_++] = handle;
    return true;
  }
  void move_to(abi::RequestSlot& slot) {
    const SpinLock::Guard guard(lock_);
    for (abi::Handle& place : slot.close) {
      place = count_ == 0 ? 0 : handles_[--count_];
    }
  }

 private:
  SpinLock lock_{LockRank::NameCache};
  std::array<abi::Handle, 8> handles_{};
  std::size_t count_ = 0;
};
constinit PendingCloses g_closes;

Result<std::int64_t> send(HostRequest& request) {
  g_closes.move_to(request.slot());
  return request.call();
}

/// The call, with a symlink in the way noted for the path walk.
Result<std::int64_t> call_with_path(HostRequest& request, const PathSpec& at) {
  Result<std::int64_t> result = send(request);
  if (!result && to_int(result.error()) == ESTALE) {
    // A symlink went away under the monitor's eyes. The answer may lie over the path.
    TRY(append_path(request, at.path, 0));
    result = send(request);
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
  if (injected_) {
    tree_.injected->forget(*this);
  }
  const Process* const process = window_serial_ != 0 ? current().process : nullptr;
  if (process != nullptr && process->mm != nullptr) {
    process->mm->file_windows().forget(window_serial_);
  }
  if (shared_) {
    tree_.ahead->end_sharing();
  }
  if (ahead() != nullptr) {
    ahead()->forget(*this);
  }
  if (close_ == Close::Never || (close_ == Close::Later && g_closes.add(handle_))) {
    return;
  }
  Result<HostRequest> request = start(abi::HostOp::Close);
  if (request) {
    (void)send(*request);  // the handle is gone either way
  }
}

CachedInode* HostNode::cached() {
  if (inode_ == nullptr && tree_.cache != nullptr) {
    (void)attributes();  // sets it
  }
  return inode_.get();
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

std::optional<Result<std::size_t>> HostNode::read_what_came(IoBuffer& buffer,
                                                            std::uint64_t offset) {
  if (ahead() == nullptr) {
    return std::nullopt;
  }
  auto told = ahead()->read(*this, buffer, offset);
  if (told && inode_ != nullptr) {
    tree_.cache->was_read(*inode_);
  }
  return told;
}

/// A read ended there. Only where the file's size agrees: an error of the medium ends reads, too.
void HostNode::note_end(std::uint64_t end) {
  if (ahead() == nullptr || inode_ == nullptr) {
    return;
  }
  const auto attr = tree_.cache->attributes(*inode_);
  if (attr && attr->size == end) {
    ahead()->keep_end(*this, end);
  }
}

/// What surely lies in front of the file's end: its pages but the last, by a size that this kernel
/// has not changed since and that the host told shortly before. A read behind the end that the host
/// has moved meanwhile would be answered with zeroes; so it must not have been long ago.
std::uint64_t HostNode::sure_size() {
  constexpr Nanoseconds kShortly = 10'000'000;
  const Nanoseconds now = monotonic_now();
  const bool known =
      tree_.cache != nullptr && now < size_until_ && tree_.cache->stamp() == size_stamp_;
  if (!known) {
    size_stamp_ = tree_.cache != nullptr ? tree_.cache->stamp() : 0;
    const Result<abi::FileAttr> attr = ask_attributes();
    size_ = attr ? attr->size : 0;
    size_until_ = now + kShortly;
  }
  return size_ == 0 ? 0 : align_down(size_ - 1, kPageSize);
}

/// A file that is read again and again is read from the host's page cache. Returns how much of it.
std::size_t HostNode::read_through_windows(IoBuffer& buffer, std::uint64_t offset) {
  constexpr std::uint32_t kFewReads = 2;
  constexpr std::uint64_t kMuch = 64 * kKiB;
  constexpr std::size_t kWorthAsking = 32 * kKiB;  // strict: the size costs a trip each time
  if (!may_window_ || !buffer.is_user() || (reads_ < kFewReads && read_bytes_ < kMuch) ||
      (tree_.cache == nullptr && buffer.remaining() < kWorthAsking)) {
    return 0;
  }
  const std::uint64_t sure = sure_size();
  if (offset >= sure) {
    return 0;
  }
  if (window_serial_ == 0) {
    window_serial_ = tree_.injected->next_serial();
    injected_ = true;
  }
  const std::size_t size = std::min<std::uint64_t>(buffer.remaining(), sure - offset);
  return current().process->mm->file_windows().read(*this, window_serial_, buffer, offset, size);
}

Result<std::size_t> HostNode::read_at(IoBuffer& buffer, std::uint64_t offset) {
  if (const auto told = read_what_came(buffer, offset)) {
    return *told;
  }
  std::size_t done = read_through_windows(buffer, offset);
  if (done != 0 && buffer.full()) {
    if (inode_ != nullptr) {
      tree_.cache->was_read(*inode_);
    }
    return done;
  }
  HostRequest request = TRY(start(abi::HostOp::Read));
  while (!buffer.full()) {
    const std::size_t want = std::min<std::size_t>(buffer.remaining(), abi::kBounceSize);
    request.slot().offset = offset + done;
    request.slot().length = want;
    const Result<std::int64_t> got = send(request);
    if (!got) {
      return done != 0 ? Result<std::size_t>(done) : tl::unexpected(got.error());
    }
    const std::size_t bytes = std::min(static_cast<std::size_t>(*got), want);
    if (bytes < want) {
      note_end(offset + done + bytes);
    }
    const Result<std::size_t> moved = buffer.put(request.bounce().data(), bytes);
    if (!moved) {
      return done != 0 ? Result<std::size_t>(done) : moved;
    }
    done += *moved;
    ++reads_;
    read_bytes_ += *moved;
    if (*moved < want) {
      break;
    }
  }
  if (inode_ != nullptr) {
    tree_.cache->was_read(*inode_);
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
    const Result<std::int64_t> put = send(request);
    if (!put) {
      return done != 0 ? Result<std::size_t>(done) : tl::unexpected(put.error());
    }
    const std::size_t bytes = std::min(static_cast<std::size_t>(*put), *taken);
    done += bytes;
    end = append ? request.slot().reply.attr.size : offset + done;
    if (inode_ != nullptr) {
      tree_.cache->changed(*inode_, &request.slot().reply.attr);
    }
    if (bytes < *taken) {
      break;
    }
  }
  return done;
}

namespace {

/// EIO unless the monitor's records lie one behind the other within their bytes.
Result<void> check_records(std::span<const std::byte> records) {
  for (std::size_t at = 0; at < records.size();) {
    abi::DirRecord record;
    if (records.size() - at < sizeof record) {
      return fail(EIO);
    }
    std::memcpy(&record, records.data() + at, sizeof record);
    if (record.record_length < sizeof record + record.name_length ||
        record.record_length > records.size() - at) {
      return fail(EIO);
    }
    at += record.record_length;
  }
  return {};
}

/// False: the sink is full.
bool give_records(std::span<const std::byte> records, std::uint64_t& cookie, DirSink& sink) {
  for (std::size_t at = 0; at < records.size();) {
    abi::DirRecord record;
    std::memcpy(&record, records.data() + at, sizeof record);
    // SAFETY: check_records() has bounded the name.
    const std::string_view name(reinterpret_cast<const char*>(&records[at + sizeof record]),
                                record.name_length);
    if (name != "." && name != ".." && !sink.add(name, record.inode, record.cookie, record.type)) {
      return false;
    }
    cookie = record.cookie;
    at += record.record_length;
  }
  return true;
}

}  // namespace

Result<EndOfDirectory> HostNode::read_directory(std::uint64_t& cookie, DirSink& sink) {
  CachedInode* const inode = cached();
  const NameCache::Stamp stamp = inode != nullptr ? tree_.cache->stamp() : 0;
  HostRequest request = TRY(start(abi::HostOp::ReadDir));
  request.slot().offset = cookie;
  request.slot().length = std::min<std::uint64_t>(sink.capacity(), abi::kBounceSize);
  const std::size_t bytes =
      std::min(static_cast<std::size_t>(TRY(send(request))), std::size_t{abi::kBounceSize});
  const abi::RequestReply& reply = request.slot().reply;
  const std::span<const std::byte> records = request.bounce().first(bytes);
  TRY(check_records(records));
  const bool at_end = reply.count != 0;
  if (inode != nullptr) {
    tree_.cache->learn_listing(stamp, *inode,
                               {.offset = cookie,
                                .next = reply.cookie,
                                .directory = cookie == 0 ? &reply.attr : nullptr,
                                .at_end = at_end},
                               records);
  }
  const bool all = give_records(records, cookie, sink);
  return all && (at_end || bytes == 0) ? EndOfDirectory::Yes : EndOfDirectory::No;
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
  request.slot().handle2 = static_cast<HostNode&>(to).handle_;
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
  if (use == MapUse::SharedWrite && !shared_ && tree_.ahead != nullptr) {
    shared_ = true;
    tree_.ahead->begin_sharing();
  }
  injected_ = true;
  const Result<int> slot = tree_.injected->slot_for(*this, use == MapUse::SharedWrite);
  if (!slot) {
    // No injection of this file (or none at all here): the caller copies if it can.
    return to_int(slot.error()) == ENOMEM ? fail(ENOMEM) : fail(ENODEV);
  }
  return aspace::Backing{.kind = aspace::Backing::Kind::Injected, .slot = *slot, .offset = offset};
}

// ---- names: the cache, then the host -----------------------------------------------------------

namespace {

std::span<const abi::FileAttr> reply_attributes(const HostRequest& request) {
  const std::uint32_t count = std::min(request.slot().reply.count, abi::kMaxAttributes);
  // SAFETY: the monitor wrote `count` of them there; the place is aligned.
  return {reinterpret_cast<const abi::FileAttr*>(request.bounce().data() + abi::kAttributesOffset),
          count};
}

bool failed_with(const Result<std::int64_t>& result, int error) {
  return !result && to_int(result.error()) == error;
}

}  // namespace

/// What a walk or open along `at` told; `all`: with the attributes of every component.
void HostNode::learn(NameCache::Stamp stamp, const PathSpec& at, const HostRequest& request,
                     const Result<std::int64_t>& result, bool all) {
  NameCache& cache = *tree_.cache;
  const bool stopped = failed_with(result, ELOOP) && at.stop != nullptr && at.stop->hit;
  const bool missing = failed_with(result, ENOENT);
  if (all) {
    NameCache::Walked walked{.path = at.path, .attrs = reply_attributes(request)};
    if (missing || stopped) {
      walked.end = missing ? NameCache::WalkEnd::Missing : NameCache::WalkEnd::Link;
    }
    cache.learn_walk(stamp, *inode_, walked, search_identity(current().credentials));
  } else if (result || missing) {
    cache.learn_last(stamp, *inode_, at.path, result ? &request.slot().reply.attr : nullptr);
  }
  if (stopped) {
    cache.learn_link(stamp, *inode_, at.path.substr(0, at.stop->end), at.stop->text());
  }
}

/// The program stats what it has listed: the next ones' attributes come in the same trip.
bool HostNode::look_up_together(const PathSpec& at) {
  const NameCache::Stamp stamp = tree_.cache->stamp();
  const std::size_t slash = at.path.rfind('/');
  const std::string_view directory =
      slash == std::string_view::npos ? std::string_view() : at.path.substr(0, slash);
  Result<HostRequest> request =
      start(abi::HostOp::Lookup, {.path = directory, .follow = false, .stop = nullptr});
  if (!request) {
    return false;
  }
  // SAFETY: bytes as characters, in front of where the answer goes.
  const std::span<char> room(reinterpret_cast<char*>(request->bounce().data()) + directory.size(),
                             abi::kMaxPath - 1);
  const std::size_t count = tree_.cache->collect(*inode_, at.path, room);
  if (count < 2) {
    return false;
  }
  std::size_t used = 0;
  for (std::size_t i = 0; i < count; ++i) {
    used += std::string_view(room.data() + used).size() + 1;
  }
  request->slot().length = count;
  request->slot().path2_length = static_cast<std::uint32_t>(used);
  if (!send(*request)) {
    return false;
  }
  tree_.cache->learn_lookup(stamp, *inode_, at.path, room.first(used),
                            reply_attributes(*request).first(
                                std::min<std::size_t>(count, reply_attributes(*request).size())));
  return true;
}

Result<abi::FileAttr> HostNode::walk(const PathSpec& at) {
  bool all = false;
  NameCache::Stamp stamp = 0;
  if (cached() != nullptr) {
    const std::uint64_t identity = search_identity(current().credentials);
    NameCache::Found found = tree_.cache->find(*inode_, at, identity);
    if (found.listed && found.answer == NameCache::Answer::Unknown && look_up_together(at)) {
      found = tree_.cache->find(*inode_, at, identity);
    }
    switch (found.answer) {
      case NameCache::Answer::Attributes:
        return found.attr;
      case NameCache::Answer::Missing:
        return fail(ENOENT);
      case NameCache::Answer::Link:
        return fail(ELOOP);
      case NameCache::Answer::Unknown:
        break;
    }
    all = !found.parents_known;
    stamp = tree_.cache->stamp();
  }
  HostRequest request = TRY(start(abi::HostOp::Walk, at));
  request.slot().flags |= all ? abi::kAllAttributes : 0;
  const Result<std::int64_t> result = call_with_path(request, at);
  if (inode_ != nullptr) {
    learn(stamp, at, request, result, all);
  }
  TRY(Result<std::int64_t>(result));
  return request.slot().reply.attr;
}

Result<OpenedNode> HostNode::open(const PathSpec& at, const OpenRequest& wanted) {
  bool all = false;
  NameCache::Stamp stamp = 0;
  const bool creates = (wanted.flags & (O_CREAT | (O_TMPFILE & ~O_DIRECTORY))) != 0;
  if (cached() != nullptr) {
    const auto found = tree_.cache->find(*inode_, at, search_identity(current().credentials));
    if (found.answer == NameCache::Answer::Link) {
      return fail(ELOOP);
    }
    if (found.answer == NameCache::Answer::Missing && !creates) {
      return fail(ENOENT);
    }
    all = found.answer == NameCache::Answer::Unknown && !found.parents_known;
    stamp = tree_.cache->stamp();
  }
  const bool read_only = (wanted.flags & (O_ACCMODE | O_TRUNC)) == 0 && !creates;
  const Close close = read_only || (wanted.flags & O_PATH) != 0 ? Close::Later : Close::AtOnce;
  auto* node = new (std::nothrow) HostNode(-1, Close::Never, tree_);
  if (node == nullptr) {
    return fail(ENOMEM);
  }
  OpenedNode opened{.node = Ref<Node>(node), .attr = {}};
  HostRequest request = TRY(start(abi::HostOp::Open, at));
  abi::RequestSlot& slot = request.slot();
  slot.flags |= (wanted.flags & kHostOpenFlags) | (all ? abi::kAllAttributes : 0);
  const bool reads_on = read_only && ahead() != nullptr && !wanted.inject &&
                        (wanted.flags & (O_PATH | O_DIRECTORY | O_DIRECT)) == 0;
  slot.flags |= reads_on && ahead()->wanted() ? abi::kReadAhead : 0;
  slot.mode = wanted.mode;
  slot.slot = wanted.inject ? tree_.injected->reserve() : -1;
  const int reserved = slot.slot;
  const Result<std::int64_t> handle = call_with_path(request, at);
  if (inode_ != nullptr) {
    learn_open(stamp, at, wanted, request, handle, all);
  }
  if (!handle) {
    if (reserved >= 0) {
      tree_.injected->give_back(reserved);
    }
    if (to_int(handle.error()) != ENXIO || slot.reply.attr.mode == 0) {
      return tl::unexpected(handle.error());
    }
    return OpenedNode{.node = nullptr, .attr = slot.reply.attr};
  }
  node->handle_ = static_cast<abi::Handle>(*handle);
  node->close_ = close;
  node->may_window_ = S_ISREG(slot.reply.attr.mode) && (wanted.flags & (O_DIRECT | O_PATH)) == 0 &&
                      (wanted.flags & O_ACCMODE) != O_WRONLY &&
                      (monitor_page().flags & abi::kHasInjection) != 0;
  opened.attr = slot.reply.attr;
  if (tree_.cache != nullptr) {
    node->inode_ = tree_.cache->learn(opened.attr);
  }
  if (reserved >= 0) {
    if (S_ISREG(opened.attr.mode)) {
      node->injected_ = true;
      tree_.injected->adopt(reserved, *node);
    } else {
      tree_.injected->give_back(reserved);
    }
  }
  if (reads_on && S_ISREG(opened.attr.mode)) {
    node->keep_contents(std::move(request));
  }
  return opened;
}

/// Of the file that `request` has just opened.
void HostNode::keep_contents(HostRequest request) {
  const abi::RequestReply& reply = request.slot().reply;
  if ((request.slot().flags & abi::kReadAhead) == 0) {
    ahead()->opened(*this);
    return;
  }
  const std::size_t length = std::min<std::size_t>(reply.length, abi::kMaxReadAhead);
  const bool whole = reply.link_end != 0;
  ahead()->keep(*this, std::move(request), length, whole);
}

void HostNode::learn_open(NameCache::Stamp stamp, const PathSpec& at, const OpenRequest& wanted,
                          const HostRequest& request, const Result<std::int64_t>& handle,
                          bool all) {
  const bool unnamed = (wanted.flags & O_TMPFILE) == O_TMPFILE;
  if (handle && (wanted.flags & O_CREAT) != 0) {
    tree_.cache->created(*inode_, at.path, &request.slot().reply.attr);
  } else if (handle && (wanted.flags & O_TRUNC) != 0) {
    tree_.cache->changed_at(*inode_, at.path, &request.slot().reply.attr);
  } else if (!unnamed && !(failed_with(handle, ENOENT) && (wanted.flags & O_CREAT) != 0)) {
    learn(stamp, at, request, handle, all);
  }
}

Result<std::size_t> HostNode::read_link(const PathSpec& at, std::span<char> target) {
  PathSpec link = at;
  link.follow = false;
  NameCache::Stamp stamp = 0;
  if (at.stop != nullptr && !at.path.empty() && cached() != nullptr) {
    PathSpec through = at;
    through.follow = true;
    const auto found = tree_.cache->find(*inode_, through, search_identity(current().credentials));
    if (found.answer == NameCache::Answer::Link && at.stop->end < at.path.size()) {
      return fail(ELOOP);
    }
    if (found.answer == NameCache::Answer::Link) {
      at.stop->hit = false;  // it is the one that was asked for
      const std::string_view text = at.stop->text().substr(0, target.size());
      std::memcpy(target.data(), text.data(), text.size());
      return text.size();
    }
    stamp = tree_.cache->stamp();
  }
  HostRequest request = TRY(start(abi::HostOp::ReadLink, link));
  const std::size_t length = static_cast<std::size_t>(TRY(call_with_path(request, link)));
  const std::size_t bytes = std::min({length, target.size(), std::size_t{abi::kBounceSize}});
  std::memcpy(target.data(), request.bounce().data(), bytes);
  if (inode_ != nullptr && !at.path.empty() && bytes < target.size()) {
    tree_.cache->learn_link(stamp, *inode_, at.path, {target.data(), bytes});
  }
  return bytes;
}

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
  HostRequest request = TRY(start(abi::HostOp::Unlink, at));
  request.slot().flags |= directory ? abi::kRemoveDir : 0;
  return change(request, at, Change::Remove);
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
