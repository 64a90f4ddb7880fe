// SPDX-License-Identifier: Apache-2.0
// What a file of a granted tree holds: out of what was read ahead, out of the host's page cache, by
// a request.
#include <algorithm>

#include "fs/hostfs/host_node.h"
#include "fs/hostfs/injected_files.h"
#include "fs/hostfs/read_ahead.h"
#include "fs/hostfs/request.h"
#include "host/clock.h"
#include "mm/address_space.h"
#include "proc/task.h"
#include "sched/long_work.h"

namespace runhl::kernel {
using hostfs::send;

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
      tree_.cache != nullptr && now < file_.size_until && tree_.cache->stamp() == file_.size_stamp;
  if (!known) {
    file_.size_stamp = tree_.cache != nullptr ? tree_.cache->stamp() : 0;
    const Result<abi::FileAttr> attr = ask_attributes();
    file_.size = attr ? attr->size : 0;
    file_.size_until = now + kShortly;
  }
  return file_.size == 0 ? 0 : align_down(file_.size - 1, kPageSize);
}

/// A file that is read again and again is read from the host's page cache. Returns how much of it:
/// no more than until others want to run.
std::size_t HostNode::read_through_windows(IoBuffer& buffer, std::uint64_t offset) {
  constexpr std::uint32_t kFewReads = 2;
  constexpr std::uint64_t kMuch = 64 * kKiB;
  constexpr std::size_t kWorthAsking = 32 * kKiB;  // strict: the size costs a trip each time
  if (!file_.may_window || !buffer.is_user() ||
      (file_.reads < kFewReads && file_.read_bytes < kMuch) ||
      (tree_.cache == nullptr && buffer.remaining() < kWorthAsking)) {
    return 0;
  }
  const std::uint64_t sure = sure_size();
  if (offset >= sure) {
    return 0;
  }
  if (file_.window_serial == 0) {
    file_.window_serial = tree_.injected->next_serial();
  }
  constexpr std::size_t kPart = 1 * kMiB;
  const std::size_t size = std::min<std::uint64_t>(buffer.remaining(), sure - offset);
  FileWindows& windows = current().process->mm->file_windows();
  for (std::size_t done = 0;;) {
    const std::size_t part = std::min(size - done, kPart);
    const std::size_t moved = windows.read(*this, file_.window_serial, buffer, offset + done, part);
    done += moved;
    if (done == size || moved < part || breath_due()) {
      return done;
    }
  }
}

/// At least one trip, and as many as nobody else wants to run in between. `ended`: there is no
/// more.
Result<std::size_t> HostNode::read_by_request(IoBuffer& buffer, std::uint64_t offset, bool& ended) {
  HostRequest request = TRY(start(abi::HostOp::Read));
  std::size_t done = 0;
  do {
    const std::size_t want = std::min<std::size_t>(buffer.remaining(), abi::kBounceSize);
    request.slot().offset = offset + done;
    request.slot().length = want;
    const Result<std::int64_t> got = send(request);
    if (!got) {
      ended = true;
      return done != 0 ? Result<std::size_t>(done) : tl::unexpected(got.error());
    }
    const std::size_t bytes = std::min(static_cast<std::size_t>(*got), want);
    if (bytes < want) {
      note_end(offset + done + bytes);
    }
    const Result<std::size_t> moved = buffer.put(request.bounce().data(), bytes);
    if (!moved) {
      ended = true;
      return done != 0 ? Result<std::size_t>(done) : moved;
    }
    done += *moved;
    ++file_.reads;
    file_.read_bytes += *moved;
    ended = *moved < want;
  } while (!ended && !buffer.full() && !breath_due());
  return done;
}

Result<std::size_t> HostNode::read_at(IoBuffer& buffer, std::uint64_t offset) {
  if (const auto told = read_what_came(buffer, offset)) {
    return *told;
  }
  std::size_t done = 0;
  bool ended = false;
  while (!buffer.full() && !ended) {
    const std::size_t seen = read_through_windows(buffer, offset + done);
    done += seen;
    if (!buffer.full() && (seen == 0 || !breath_due())) {
      const Result<std::size_t> part = read_by_request(buffer, offset + done, ended);
      if (!part) {
        return done != 0 ? Result<std::size_t>(done) : part;
      }
      done += *part;
    }
    if (!buffer.full() && !ended && !take_breath(Interruptible::Killable)) {
      break;
    }
  }
  if (inode_ != nullptr) {
    tree_.cache->was_read(*inode_);
  }
  return done;
}

/// At least one trip, and as many as nobody else wants to run in between. `ended`: the file takes
/// no more.
Result<std::size_t> HostNode::write_by_request(IoBuffer& buffer, std::uint64_t offset,
                                               std::uint64_t& end, bool& ended) {
  HostRequest request = TRY(start(abi::HostOp::Write));
  const bool append = offset == kAppendOffset;
  std::size_t done = 0;
  do {
    const Result<std::size_t> taken = buffer.take(request.bounce().data(), abi::kBounceSize);
    if (!taken) {
      ended = true;
      return done != 0 ? Result<std::size_t>(done) : taken;
    }
    request.slot().flags = append ? abi::kAppend : 0;
    request.slot().offset = append ? 0 : offset + done;
    request.slot().length = *taken;
    const Result<std::int64_t> put = send(request);
    if (!put) {
      ended = true;
      return done != 0 ? Result<std::size_t>(done) : tl::unexpected(put.error());
    }
    const std::size_t bytes = std::min(static_cast<std::size_t>(*put), *taken);
    done += bytes;
    end = append ? request.slot().reply.attr.size : offset + done;
    if (inode_ != nullptr) {
      tree_.cache->changed(*inode_, &request.slot().reply.attr);
    }
    if (bytes < *taken) {
      buffer.untake(*taken - bytes);
      ended = true;
    }
  } while (!ended && !buffer.full() && !breath_due());
  return done;
}

Result<std::size_t> HostNode::write_at(IoBuffer& buffer, std::uint64_t offset, std::uint64_t& end) {
  const bool append = offset == kAppendOffset;
  std::size_t done = 0;
  bool ended = false;
  while (!buffer.full() && !ended) {
    const std::uint64_t at = append ? kAppendOffset : offset + done;
    const Result<std::size_t> part = write_by_request(buffer, at, end, ended);
    if (!part && to_int(part.error()) == EFAULT && done == 0 && !append &&
        TRY(attributes()).size < offset) {
      (void)allocate(0, offset - 1, 1);  // Linux: the file ends where a write failed
    }
    if (!part) {
      return done != 0 ? Result<std::size_t>(done) : part;
    }
    done += *part;
    if (!buffer.full() && !ended && !take_breath(Interruptible::Killable)) {
      break;
    }
  }
  return done;
}

}  // namespace runhl::kernel
