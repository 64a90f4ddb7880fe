// SPDX-License-Identifier: Apache-2.0
#include "fs/hostfs/parked_files.h"

#include <algorithm>

#include "fs/inode_object.h"
#include "fs/timestamp.h"

namespace runhl::kernel {
namespace {

bool same_inode(const abi::FileAttr& a, const abi::FileAttr& b) {
  return inode_key(a) == inode_key(b);
}

bool unchanged(const abi::FileAttr& a, const abi::FileAttr& b) {
  return same_inode(a, b) && a.size == b.size && same_time(a.modified, b.modified) &&
         same_time(a.changed, b.changed);
}

}  // namespace

ParkedFiles::~ParkedFiles() {
  const SpinLock::Guard guard(lock_);
  parked_.clear_and_dispose([](Parked* parked) { delete parked; });
}

template <typename Fits>
Owned<ParkedFiles::Parked> ParkedFiles::remove_first(Fits fits) {
  const auto at = std::find_if(parked_.begin(), parked_.end(), fits);
  if (at == parked_.end()) {
    return nullptr;
  }
  Owned<Parked> found(&*at);
  parked_.erase(at);
  return found;
}

std::optional<HostFile> ParkedFiles::park(const HostFile& file, const abi::FileAttr& attr,
                                          std::uint64_t identity) {
  Result<Owned<Parked>> parked = make<Parked>();
  if (!parked) {
    return file;
  }
  (*parked)->file = file;
  (*parked)->attr = attr;
  (*parked)->identity = identity;
  const SpinLock::Guard guard(lock_);
  Owned<Parked> old = remove_first([&attr, identity](const Parked& other) {
    return other.identity == identity && same_inode(other.attr, attr);
  });
  if (old == nullptr && parked_.size() == kMost) {
    old.reset(&parked_.back());
    parked_.pop_back();
  }
  parked_.push_front(*parked->release());
  return old == nullptr ? std::nullopt : std::optional(old->file);
}

std::optional<HostFile> ParkedFiles::take(const abi::FileAttr& attr, std::uint64_t identity) {
  const SpinLock::Guard guard(lock_);
  const Owned<Parked> parked = remove_first([&attr, identity](const Parked& other) {
    return other.identity == identity && unchanged(other.attr, attr);
  });
  return parked == nullptr ? std::nullopt : std::optional(parked->file);
}

std::optional<HostFile> ParkedFiles::take_out(const abi::FileAttr* of) {
  const SpinLock::Guard guard(lock_);
  const Owned<Parked> parked = remove_first(
      [of](const Parked& other) { return of == nullptr || same_inode(other.attr, *of); });
  return parked == nullptr ? std::nullopt : std::optional(parked->file);
}

}  // namespace runhl::kernel
