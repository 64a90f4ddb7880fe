// SPDX-License-Identifier: Apache-2.0
#include "fs/hostfs/read_ahead.h"

#include <algorithm>
#include <utility>

#include "host/clock.h"

namespace runhl::kernel {

bool ReadAhead::wanted() {
  const SpinLock::Guard guard(lock_);
  return sharing_ == 0 && trust_ >= kTrust;
}

void ReadAhead::opened(const HostNode& node) {
  const SpinLock::Guard guard(lock_);
  opened_ = &node;
  opened_traffic_ = host_traffic();
}

void ReadAhead::replace(const HostNode* node, std::uint64_t end, bool whole,
                        std::optional<HostRequest> data) {
  std::optional<HostRequest> old;  // released without the lock
  const Nanoseconds until = monotonic_now() + kFresh;
  const SpinLock::Guard guard(lock_);
  if (kept_.data) {
    old.emplace(std::move(*kept_.data));
    kept_.data.reset();
    trust_ = kept_.used ? trust_ : 0;
  }
  kept_.node = node;
  kept_.end = end;
  kept_.whole = whole;
  kept_.used = false;
  kept_.traffic = host_traffic();
  kept_.until = until;
  if (data) {
    kept_.data.emplace(std::move(*data));
  }
}

void ReadAhead::keep(const HostNode& node, HostRequest request, std::size_t length, bool whole) {
  replace(&node, length, whole, std::move(request));
}

void ReadAhead::keep_end(const HostNode& node, std::uint64_t end) {
  if (sharing_ == 0) {
    replace(&node, end, true, std::nullopt);
  }
}

std::optional<Result<std::size_t>> ReadAhead::read(const HostNode& node, IoBuffer& buffer,
                                                   std::uint64_t offset) {
  std::optional<HostRequest> data;
  std::size_t length = 0;
  {
    const SpinLock::Guard guard(lock_);
    const std::uint64_t traffic = host_traffic();
    if (opened_ == &node && opened_traffic_ == traffic) {
      trust_ = std::min(trust_ + 1, kTrust);
    }
    opened_ = nullptr;
    if (sharing_ != 0 || kept_.node != &node || kept_.traffic != traffic ||
        monotonic_now() >= kept_.until) {
      return std::nullopt;
    }
    kept_.used = true;
    if (offset >= kept_.end) {
      return kept_.whole ? std::optional<Result<std::size_t>>(0U) : std::nullopt;
    }
    length = std::min<std::uint64_t>(buffer.remaining(), kept_.end - offset);
    if (!kept_.data || (length < buffer.remaining() && !kept_.whole)) {
      return std::nullopt;
    }
    data.emplace(std::move(*kept_.data));  // nobody else may give its buffer away meanwhile
    kept_.data.reset();
  }
  const Result<std::size_t> moved =
      buffer.put(data->bounce().data() + abi::kDataOffset + offset, length);
  const SpinLock::Guard guard(lock_);
  if (kept_.node == &node && !kept_.data && offset + length < kept_.end) {
    kept_.data.emplace(std::move(*data));
  }
  return moved;
}

void ReadAhead::forget(const HostNode& node) {
  bool mine = false;
  {
    const SpinLock::Guard guard(lock_);
    opened_ = opened_ == &node ? nullptr : opened_;
    mine = kept_.node == &node;
  }
  if (mine) {
    replace(nullptr, 0, false, std::nullopt);
  }
}

}  // namespace runhl::kernel
