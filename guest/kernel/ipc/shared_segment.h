// SPDX-License-Identifier: Apache-2.0
// System V shared memory. A segment is an object of the table and the memory that mappings show;
// the memory counts its mappings, which are the attaches.
//
//   shmget ──► SharedSegment ──► SegmentMemory ◄── mappings (shmat, fork)
//              until IPC_RMID and the last detach
#pragma once

#include <linux/shm.h>

#include <cstdint>

#include "core/user_memory.h"
#include "fs/pseudo/text_writer.h"
#include "ipc/ipc_object.h"
#include "ipc/ipc_status.h"
#include "mm/shared_memory.h"

namespace runhl::kernel {

struct SharedSegment;

class SegmentMemory final : public MapObject {
 public:
  SegmentMemory(Ref<SharedMemory> memory, std::int32_t key)
      : memory_(std::move(memory)), key_(key) {}

  Result<aspace::Backing> backing(std::uint64_t offset, std::uint64_t length, MapUse use) override {
    return memory_->backing(offset, length, use);
  }
  Result<void> remove_range(std::uint64_t offset, std::uint64_t length) override {
    return memory_->remove_range(offset, length);
  }
  void mapping_added() override;
  void mapping_removed() override;
  /// As /proc/PID/maps has it.
  void name_in_maps(TextWriter& out) const;
  SegmentMemory* as_segment() override { return this; }
  [[nodiscard]] std::uint64_t size() const { return memory_->size(); }

 private:
  friend struct SharedSegment;
  const Ref<SharedMemory> memory_;
  const std::int32_t key_;
  SharedSegment* segment_ = nullptr;  // null: removed; guarded by the table's lock
};

struct SharedSegment final : IpcObject {
  explicit SharedSegment(Ref<SegmentMemory> of) : memory(std::move(of)) { memory->segment_ = this; }
  /// Off its memory; with the table's lock.
  void leave_memory() const { memory->segment_ = nullptr; }

  const Ref<SegmentMemory> memory;
  std::uint64_t attaches = 0;
  std::int32_t creator = 0, last_user = 0;  // process numbers
  std::int64_t attached = 0, detached = 0;  // times
};

Result<void> shared_segments_init();  // at boot; ENOMEM

Result<std::int32_t> shm_get(std::int32_t key, std::uint64_t size, std::uint32_t flags);
Result<UserAddress> shm_attach(std::int32_t id, UserAddress address, std::uint32_t flags);
/// The segment is gone now, or with its last attach.
Result<void> shm_remove(std::int32_t id);
Result<void> shm_set_owner(std::int32_t id, const IpcOwner& owner);
Result<void> shm_lock(std::int32_t id, bool locked);

/// The id; fills in `out`.
Result<std::int32_t> shm_status(std::int32_t number, StatBy by, shmid64_ds& out);
struct SegmentTotals {
  std::int32_t count, highest_place;
  std::uint64_t pages;
};
SegmentTotals shm_totals();

/// /proc/sysvipc/shm.
void write_shared_segments(TextWriter& out);

}  // namespace runhl::kernel
