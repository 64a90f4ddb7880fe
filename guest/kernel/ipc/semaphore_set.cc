// SPDX-License-Identifier: Apache-2.0
#include "ipc/semaphore_set.h"

#include <algorithm>
#include <new>
#include <utility>

#include "core/settings.h"
#include "mm/heap.h"
#include "proc/task.h"

namespace runhl::kernel {
namespace {

constexpr std::int32_t kMaxValue = SEMVMX;

constinit IpcTable* g_sets = nullptr;  // made at boot

SemaphoreSet& set_of(IpcObject& object) {
  return static_cast<SemaphoreSet&>(object);
}
Result<SemaphoreSet*> find_set(std::int32_t id) {
  return &set_of(*TRY(g_sets->find(id)));
}

template <typename T>
Result<std::unique_ptr<T[]>> make_array(std::size_t count) {
  std::unique_ptr<T[]> array(new (std::nothrow) T[count]{});
  return array == nullptr ? fail(ENOMEM) : Result<std::unique_ptr<T[]>>(std::move(array));
}

SemaphoreUndo* undo_of(SemaphoreSet& set, const Process& process) {
  const auto found = std::ranges::find_if(
      set.undos, [&](const SemaphoreUndo& each) { return each.process == &process; });
  return found == set.undos.end() ? nullptr : &*found;
}

}  // namespace

SemaphoreSet::~SemaphoreSet() {
  undos.clear_and_dispose([](SemaphoreUndo* undo) { delete undo; });
}

Result<void> semaphore_sets_init() {
  g_sets = TRY(make<IpcTable>()).release();
  return {};
}

Result<std::int32_t> sem_get(std::int32_t key, std::int32_t count, std::uint32_t flags) {
  if (count < 0 || count > value_of(settings().sem_msl)) {
    return fail(EINVAL);
  }
  const auto size = static_cast<std::size_t>(count);
  const auto fits = [size](const IpcObject& object) {
    const auto& set = static_cast<const SemaphoreSet&>(object);
    return size > set.count ? fail(EINVAL) : Result<void>{};
  };
  const auto make = [size]() -> Result<Ref<SemaphoreSet>> {
    if (size == 0) {
      return fail(EINVAL);
    }
    if (sem_totals().semaphores + static_cast<std::int64_t>(size) > value_of(settings().sem_mns)) {
      return fail(ENOSPC);
    }
    auto semaphores = TRY(make_array<Semaphore>(size));
    return make_ref<SemaphoreSet>(std::move(semaphores), size);
  };
  return ipc_get(*g_sets, key, flags, value_of(settings().sem_mni), fits, make);
}

// ---- semop -------------------------------------------------------------------------------------

namespace {

/// Operations of one call on a set. Everything with the table's lock.
class Attempt {
 public:
  Attempt(SemaphoreSet& set, std::span<const sembuf> operations, SemaphoreUndo* undo)
      : set_(set), operations_(operations), undo_(undo) {}

  /// Done; EAGAIN: not yet, and blocking() is why; ERANGE.
  Result<void> run() {
    for (std::size_t at = 0; at < operations_.size(); ++at) {
      const Result<void> done = one(operations_[at]);
      if (!done) {
        blocking_ = &operations_[at];
        take_back(at);
        return done;
      }
    }
    finish();
    return {};
  }
  [[nodiscard]] const sembuf& blocking() const { return *blocking_; }

 private:
  [[nodiscard]] Semaphore& semaphore(const sembuf& operation) const {
    return set_.semaphores[operation.sem_num];
  }
  [[nodiscard]] static bool undoes(const sembuf& operation) {
    return (operation.sem_flg & SEM_UNDO) != 0 && operation.sem_op != 0;
  }

  Result<void> one(const sembuf& operation) {
    Semaphore& semaphore = this->semaphore(operation);
    const std::int32_t value = semaphore.value + operation.sem_op;
    if (operation.sem_op == 0 ? semaphore.value != 0 : value < 0) {
      return fail(EAGAIN);
    }
    if (value > kMaxValue) {
      return fail(ERANGE);
    }
    if (undoes(operation)) {
      const std::int32_t undo = undo_->adjustments[operation.sem_num] - operation.sem_op;
      if (undo < -kMaxValue - 1 || undo > kMaxValue) {
        return fail(ERANGE);
      }
      undo_->adjustments[operation.sem_num] = static_cast<std::int16_t>(undo);
    }
    semaphore.value = value;
    return {};
  }

  void take_back(std::size_t count) {
    while (count-- != 0) {
      const sembuf& operation = operations_[count];
      semaphore(operation).value -= operation.sem_op;
      if (undoes(operation)) {
        std::int16_t& undo = undo_->adjustments[operation.sem_num];
        undo = static_cast<std::int16_t>(undo + operation.sem_op);
      }
    }
  }

  void finish() {
    for (const sembuf& operation : operations_) {
      semaphore(operation).last_user = ipc_caller();
    }
    set_.used = ipc_time_now();
  }

  SemaphoreSet& set_;
  std::span<const sembuf> operations_;
  SemaphoreUndo* undo_;
  const sembuf* blocking_ = nullptr;
};

struct Needs {
  bool change = false, undo = false;
  std::uint16_t highest = 0;
};
Needs needs_of(std::span<const sembuf> operations) {
  Needs needs;
  for (const sembuf& operation : operations) {
    needs.change |= operation.sem_op != 0;
    needs.undo |= operation.sem_op != 0 && (operation.sem_flg & SEM_UNDO) != 0;
    needs.highest = std::max(needs.highest, operation.sem_num);
  }
  return needs;
}

/// The caller's adjustments of the set, made if there are none.
Result<SemaphoreUndo*> own_undo(SemaphoreSet& set) {
  Process& process = *current().process;
  if (SemaphoreUndo* const found = undo_of(set, process)) {
    return found;
  }
  auto undo = TRY(make<SemaphoreUndo>());
  undo->adjustments = TRY(make_array<std::int16_t>(set.count));
  undo->process = &process;
  process.undoes_semaphores = true;
  set.undos.push_back(*undo);
  return undo.release();  // the set's
}

/// One call: tries, and waits.
class Operation {
 public:
  Operation(Ref<SemaphoreSet> set, std::span<const sembuf> operations)
      : set_(std::move(set)), operations_(operations), needs_(needs_of(operations)) {}
  Operation(const Operation&) = delete;
  Operation& operator=(const Operation&) = delete;
  ~Operation() {
    const SpinLock::Guard guard(g_sets->lock);
    stop_waiting();
  }

  /// True: decided, see outcome().
  bool attempt() {
    const SpinLock::Guard guard(g_sets->lock);
    stop_waiting();
    outcome_ = attempt_locked();
    return outcome_ || to_int(outcome_.error()) != EAGAIN || (blocked_flags_ & IPC_NOWAIT) != 0;
  }
  [[nodiscard]] const Result<void>& outcome() const { return outcome_; }

 private:
  Result<void> attempt_locked() {
    if (set_->removed) {
      return fail(EIDRM);
    }
    SemaphoreUndo* const undo = needs_.undo ? TRY(own_undo(*set_)) : nullptr;
    Attempt attempt(*set_, operations_, undo);
    const Result<void> done = attempt.run();
    if (done && needs_.change) {
      wake_all(set_->changes);
    }
    if (!done && to_int(done.error()) == EAGAIN) {
      blocked_flags_ = attempt.blocking().sem_flg;
      waiter_.blocked_on = attempt.blocking().sem_num;
      waiter_.for_zero = attempt.blocking().sem_op == 0;
      set_->waiters.push_back(waiter_);
    }
    return done;
  }
  void stop_waiting() {
    if (waiter_.is_linked()) {
      set_->waiters.erase(set_->waiters.iterator_to(waiter_));
    }
  }

  const Ref<SemaphoreSet> set_;
  const std::span<const sembuf> operations_;
  const Needs needs_;
  SemaphoreWaiter waiter_;
  std::int16_t blocked_flags_ = 0;
  Result<void> outcome_;
};

}  // namespace

Result<void> sem_operate(std::int32_t id, std::span<const sembuf> operations,
                         Nanoseconds deadline) {
  const Needs needs = needs_of(operations);
  Ref<SemaphoreSet> set;
  {
    const SpinLock::Guard guard(g_sets->lock);
    set = TRY(find_set(id));
    if (needs.highest >= set->count) {
      return fail(EFBIG);
    }
    TRY(check_ipc_access(*set, needs.change ? 0222 : 0444));
  }
  WaitQueue& changes = set->changes;
  Operation operation(std::move(set), operations);
  if (!operation.attempt()) {
    const Result<void> slept =
        wait(changes, [&] { return operation.attempt(); }, deadline, Interruptible::Yes);
    if (!slept) {
      // Linux never makes the call again by itself.
      return fail(to_int(slept.error()) == ETIMEDOUT ? EAGAIN : EINTR);
    }
  }
  return operation.outcome();
}

void sem_undo_all(Process& process) {
  if (!process.undoes_semaphores) {
    return;
  }
  process.undoes_semaphores = false;
  const SpinLock::Guard guard(g_sets->lock);
  for (IpcObject& object : g_sets->objects()) {
    SemaphoreSet& set = set_of(object);
    SemaphoreUndo* const undo = undo_of(set, process);
    if (undo == nullptr) {
      continue;
    }
    for (std::size_t i = 0; i < set.count; ++i) {
      if (undo->adjustments[i] != 0) {
        Semaphore& semaphore = set.semaphores[i];
        semaphore.value = std::clamp(semaphore.value + undo->adjustments[i], 0, kMaxValue);
        semaphore.last_user = process.pid;
      }
    }
    set.undos.erase(set.undos.iterator_to(*undo));
    delete undo;
    set.used = ipc_time_now();
    wake_all(set.changes);
  }
}

// ---- semctl ------------------------------------------------------------------------------------

Result<void> sem_remove(std::int32_t id) {
  Ref<IpcObject> gone;
  const SpinLock::Guard guard(g_sets->lock);
  SemaphoreSet& set = *TRY(find_set(id));
  TRY(check_ipc_control(set));
  gone = g_sets->remove(set);
  wake_all(set.changes);
  return {};
}

Result<void> sem_set_owner(std::int32_t id, const IpcOwner& owner) {
  const SpinLock::Guard guard(g_sets->lock);
  SemaphoreSet& set = *TRY(find_set(id));
  TRY(check_ipc_control(set));
  set_ipc_owner(set, owner);
  return {};
}

Result<std::int32_t> sem_ask(std::int32_t id, std::int32_t number, SemaphoreQuestion question) {
  const SpinLock::Guard guard(g_sets->lock);
  const SemaphoreSet& set = *TRY(find_set(id));
  TRY(check_ipc_access(set, 0444));
  if (number < 0 || static_cast<std::size_t>(number) >= set.count) {
    return fail(EINVAL);
  }
  const Semaphore& semaphore = set.semaphores[static_cast<std::size_t>(number)];
  switch (question) {
    case SemaphoreQuestion::Value:
      return semaphore.value;
    case SemaphoreQuestion::LastUser:
      return semaphore.last_user;
    default:
      break;
  }
  const bool for_zero = question == SemaphoreQuestion::WaitersForZero;
  const auto counts = [&](const SemaphoreWaiter& waiter) {
    return waiter.blocked_on == number && waiter.for_zero == for_zero;
  };
  return static_cast<std::int32_t>(std::ranges::count_if(set.waiters, counts));
}

Result<void> sem_set_value(std::int32_t id, std::int32_t number, std::int32_t value) {
  if (value < 0 || value > kMaxValue) {
    return fail(ERANGE);
  }
  const SpinLock::Guard guard(g_sets->lock);
  SemaphoreSet& set = *TRY(find_set(id));
  if (number < 0 || static_cast<std::size_t>(number) >= set.count) {
    return fail(EINVAL);
  }
  TRY(check_ipc_access(set, 0222));
  const auto index = static_cast<std::size_t>(number);
  for (const SemaphoreUndo& undo : set.undos) {
    undo.adjustments[index] = 0;
  }
  set.semaphores[index] = {.value = value, .last_user = ipc_caller()};
  set.changed = ipc_time_now();
  wake_all(set.changes);
  return {};
}

Result<std::size_t> sem_count(std::int32_t id, std::uint32_t access) {
  const SpinLock::Guard guard(g_sets->lock);
  const SemaphoreSet& set = *TRY(find_set(id));
  TRY(check_ipc_access(set, access));
  return set.count;
}

Result<void> sem_get_all(std::int32_t id, std::span<std::uint16_t> values) {
  const SpinLock::Guard guard(g_sets->lock);
  const SemaphoreSet& set = *TRY(find_set(id));
  for (std::size_t i = 0; i < std::min(values.size(), set.count); ++i) {
    values[i] = static_cast<std::uint16_t>(set.semaphores[i].value);
  }
  return {};
}

Result<void> sem_set_all(std::int32_t id, std::span<const std::uint16_t> values) {
  if (std::ranges::any_of(values, [](std::uint16_t value) { return value > kMaxValue; })) {
    return fail(ERANGE);
  }
  const SpinLock::Guard guard(g_sets->lock);
  SemaphoreSet& set = *TRY(find_set(id));
  for (std::size_t i = 0; i < std::min(values.size(), set.count); ++i) {
    set.semaphores[i] = {.value = values[i], .last_user = ipc_caller()};
  }
  for (const SemaphoreUndo& undo : set.undos) {
    std::fill_n(undo.adjustments.get(), set.count, std::int16_t{0});
  }
  set.changed = ipc_time_now();
  wake_all(set.changes);
  return {};
}

Result<std::int32_t> sem_status(std::int32_t number, StatBy by, semid64_ds& out) {
  const SpinLock::Guard guard(g_sets->lock);
  const SemaphoreSet& set = set_of(*TRY(find_for_status(*g_sets, number, by)));
  out = {};
  out.sem_perm = ipc_permissions(set);
  out.sem_otime = set.used;
  out.sem_ctime = set.changed;
  out.sem_nsems = set.count;
  return set.id();
}

SetTotals sem_totals() {
  const SpinLock::Guard guard(g_sets->lock);
  SetTotals totals{.sets = static_cast<std::int32_t>(g_sets->count()),
                   .semaphores = 0,
                   .highest_place = g_sets->highest_place()};
  for (IpcObject& object : g_sets->objects()) {
    totals.semaphores += static_cast<std::int32_t>(set_of(object).count);
  }
  return totals;
}

void write_semaphore_sets(TextWriter& out) {
  const SpinLock::Guard guard(g_sets->lock);
  for (IpcObject& object : g_sets->objects()) {
    const SemaphoreSet& each = set_of(object);
    add_ipc_key(out, each);
    out.add(' ', Decimal{.value = each.count, .width = 10});
    add_ipc_owner(out, each);
    out.add(' ', Decimal{.value = static_cast<std::uint64_t>(each.used), .width = 10}, ' ',
            Decimal{.value = static_cast<std::uint64_t>(each.changed), .width = 10}, '\n');
  }
}

}  // namespace runhl::kernel
