// SPDX-License-Identifier: Apache-2.0
// System V semaphores. The operations of one call happen all at once or not at all; who has to wait
// tries again whenever the set has changed.
//
//   semget ──► SemaphoreSet ──► semaphores, adjustments by process (SEM_UNDO), who waits
#pragma once

#include <linux/sem.h>

#include <boost/intrusive/list.hpp>
#include <cstdint>
#include <memory>
#include <span>

#include "fs/pseudo/text_writer.h"
#include "ipc/ipc_object.h"
#include "ipc/ipc_status.h"
#include "sched/wait.h"

namespace runhl::kernel {

struct Process;  // proc/task.h

struct Semaphore {
  std::int32_t value = 0;
  std::int32_t last_user = 0;  // process number
};

/// What is added to the values when the process ends.
struct SemaphoreUndo : boost::intrusive::list_base_hook<> {
  const Process* process = nullptr;
  std::unique_ptr<std::int16_t[]> adjustments;  // one a semaphore
};

/// A call that sleeps, on its stack.
struct SemaphoreWaiter : boost::intrusive::list_base_hook<> {
  std::uint16_t blocked_on = 0;
  bool for_zero = false;
};

struct SemaphoreSet final : IpcObject {
  SemaphoreSet(std::unique_ptr<Semaphore[]> of, std::size_t size)
      : semaphores(std::move(of)), count(size) {}
  SemaphoreSet(const SemaphoreSet&) = delete;
  SemaphoreSet& operator=(const SemaphoreSet&) = delete;
  ~SemaphoreSet() override;

  const std::unique_ptr<Semaphore[]> semaphores;
  const std::size_t count;
  std::int64_t used = 0;  // time of the last semop
  boost::intrusive::list<SemaphoreUndo> undos;
  boost::intrusive::list<SemaphoreWaiter> waiters;
  WaitQueue changes;
};

Result<void> semaphore_sets_init();  // at boot; ENOMEM

Result<std::int32_t> sem_get(std::int32_t key, std::int32_t count, std::uint32_t flags);
/// Sleeps until all of `operations` can be done. EAGAIN: at once, or until the deadline, they
/// cannot. EIDRM, EINTR.
Result<void> sem_operate(std::int32_t id, std::span<const sembuf> operations, Nanoseconds deadline);
Result<void> sem_remove(std::int32_t id);
Result<void> sem_set_owner(std::int32_t id, const IpcOwner& owner);

enum class SemaphoreQuestion : std::uint8_t { Value, LastUser, WaitersForMore, WaitersForZero };
Result<std::int32_t> sem_ask(std::int32_t id, std::int32_t number, SemaphoreQuestion question);
Result<void> sem_set_value(std::int32_t id, std::int32_t number, std::int32_t value);
/// How many semaphores there are, for who may read them.
Result<std::size_t> sem_count(std::int32_t id, std::uint32_t access);
Result<void> sem_get_all(std::int32_t id, std::span<std::uint16_t> values);
Result<void> sem_set_all(std::int32_t id, std::span<const std::uint16_t> values);

/// The id; fills in `out`.
Result<std::int32_t> sem_status(std::int32_t number, StatBy by, semid64_ds& out);
struct SetTotals {
  std::int32_t sets, semaphores, highest_place;
};
SetTotals sem_totals();

/// SEM_UNDO of a process that ends.
void sem_undo_all(Process& process);

/// /proc/sysvipc/sem.
void write_semaphore_sets(TextWriter& out);

}  // namespace runhl::kernel
