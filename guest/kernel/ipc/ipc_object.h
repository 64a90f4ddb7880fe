// SPDX-License-Identifier: Apache-2.0
// What the three kinds of System V objects share: a key, an id, an owner with permissions, and the
// table of a kind.
//
//   IpcTable& table = semaphore_sets();
//   const SpinLock::Guard guard(table.lock);
//   SemaphoreSet& set = static_cast<SemaphoreSet&>(*TRY(table.find(id)));
//
// As on Linux an id is the object's place in the table and how often the places went round, so that
// an id of one that was removed is not soon another's.
#pragma once

#include <linux/ipc.h>

#include <boost/intrusive/set.hpp>
#include <cstdint>

#include "core/result.h"
#include "mm/ref.h"
#include "sched/locks.h"

namespace runhl::kernel {

/// Everything of an object is guarded by its table's lock.
struct IpcObject : CountedObject, boost::intrusive::set_base_hook<> {
  std::int32_t key = 0;
  std::uint32_t uid = 0, gid = 0, creator_uid = 0, creator_gid = 0;
  std::uint32_t mode = 0;  // 0777, and flags of the kind
  std::uint32_t place = 0, round = 0;
  bool removed = false;
  std::int64_t changed = 0;  // seconds of the wall clock

  [[nodiscard]] std::int32_t id() const;
  friend bool operator<(const IpcObject& a, const IpcObject& b) { return a.place < b.place; }
};

/// EACCES unless the caller has all the access that `mode` (as of open, any third of it) asks for.
Result<void> check_ipc_access(const IpcObject& object, std::uint32_t mode);
/// EPERM unless the caller may change or remove the object.
Result<void> check_ipc_control(const IpcObject& object);

class IpcTable {
 public:
  IpcTable() = default;
  IpcTable(const IpcTable&) = delete;
  IpcTable& operator=(const IpcTable&) = delete;
  ~IpcTable() = default;

  SpinLock lock{LockRank::Pipe};

  // The caller holds the lock.
  /// EINVAL: there is none; EIDRM: another has its place now.
  Result<IpcObject*> find(std::int32_t id);
  IpcObject* find_key(std::int32_t key);
  /// In a place of its own, as the caller's. ENOSPC: `limit` objects are there.
  Result<std::int32_t> add(Ref<IpcObject> object, std::int64_t limit);
  /// Off the table; the caller lets go of it without the lock.
  Ref<IpcObject> remove(IpcObject& object);
  /// By their places.
  [[nodiscard]] boost::intrusive::set<IpcObject>& objects() { return objects_; }
  /// For *_STAT, which counts places.
  Result<IpcObject*> at(std::int32_t place);
  [[nodiscard]] std::size_t count() const { return objects_.size(); }
  [[nodiscard]] std::int32_t highest_place() const;

 private:
  struct PlaceLess {
    bool operator()(std::uint32_t a, const IpcObject& b) const { return a < b.place; }
    bool operator()(const IpcObject& a, std::uint32_t b) const { return a.place < b; }
  };
  [[nodiscard]] std::uint32_t free_place();

  boost::intrusive::set<IpcObject> objects_;
  std::uint32_t next_place_ = 0, round_ = 0;
};

/// semget(2) and its kin: the id of the object with `key`, or of a new one. `fits(object)` says
/// what is wrong with one that is there, `make()` makes one.
template <typename Fits, typename Make>
Result<std::int32_t> ipc_get(IpcTable& table, std::int32_t key, std::uint32_t flags,
                             std::int64_t limit, Fits&& fits, Make&& make) {
  const auto find = [&]() -> Result<std::int32_t> {
    const IpcObject* const found = key == IPC_PRIVATE ? nullptr : table.find_key(key);
    if (found == nullptr) {
      return fail(ENOENT);
    }
    if ((flags & IPC_CREAT) != 0 && (flags & IPC_EXCL) != 0) {
      return fail(EEXIST);
    }
    TRY(fits(*found));
    TRY(check_ipc_access(*found, flags));
    return found->id();
  };
  const bool create = key == IPC_PRIVATE || (flags & IPC_CREAT) != 0;
  {
    const SpinLock::Guard guard(table.lock);
    const Result<std::int32_t> found = find();
    if (found || !create || to_int(found.error()) != ENOENT) {
      return found;
    }
  }
  auto object = TRY(make());
  object->key = key;
  object->mode = flags & 0777;
  const SpinLock::Guard guard(table.lock);
  const Result<std::int32_t> found = find();  // another may have been faster
  return found || to_int(found.error()) != ENOENT ? found : table.add(object, limit);
}

/// IPC_SET's share that is common to all kinds.
struct IpcOwner {
  std::uint32_t uid, gid, mode;
};
void set_ipc_owner(IpcObject& object, const IpcOwner& owner);
/// Seconds of the wall clock.
std::int64_t ipc_time_now();
/// The calling process's number, as objects note it.
std::int32_t ipc_caller();

}  // namespace runhl::kernel
