// SPDX-License-Identifier: Apache-2.0
#include "fs/hostfs/request.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "sched/locks.h"

namespace runhl::kernel::hostfs {
namespace {

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

}  // namespace

Result<void> append_path(HostRequest& request, std::string_view path, std::size_t at) {
  if (path.size() >= abi::kMaxPath) {
    return fail(ENAMETOOLONG);
  }
  if (!path.empty()) {
    std::memcpy(request.bounce().data() + at, path.data(), path.size());
  }
  return {};
}

bool close_later(abi::Handle handle) {
  return g_closes.add(handle);
}

Result<std::int64_t> send(HostRequest& request) {
  g_closes.move_to(request.slot());
  return request.call();
}

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

std::span<const abi::FileAttr> reply_attributes(const HostRequest& request) {
  const std::uint32_t count = std::min(request.slot().reply.count, abi::kMaxAttributes);
  // SAFETY: the monitor wrote `count` of them there; the place is aligned.
  return {reinterpret_cast<const abi::FileAttr*>(request.bounce().data() + abi::kAttributesOffset),
          count};
}

}  // namespace runhl::kernel::hostfs
