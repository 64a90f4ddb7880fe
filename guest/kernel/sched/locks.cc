// SPDX-License-Identifier: Apache-2.0
#include "sched/locks.h"

#include <array>
#include <utility>

#include "core/panic.h"
#include "core/parallel.h"
#include "sched/lock_host.h"
#include "sched/wait.h"

namespace runhl::kernel {

namespace {

constexpr std::uint32_t kFree = 0;
constexpr std::uint32_t kHeld = 1;
constexpr std::uint32_t kContended = 2;  // held, and somebody sleeps

void trace_acquire(const void* lock, LockRank rank, LockKind kind) {
  LockTrace* const trace = lock_host::trace();
  if (trace == nullptr) {
    return;  // before there are tasks
  }
#ifdef KERNEL_DEBUG
  if (const char* const why = trace->check(lock, rank)) {
    panic(why);
  }
#endif
  KERNEL_CHECK(trace->push(lock, rank, kind));
}

void trace_release(const void* lock, LockKind kind) {
  LockTrace* const trace = lock_host::trace();
  if (trace != nullptr && !trace->pop(lock, kind)) {
    panic("lock released by a task that does not hold it");
  }
}

bool try_take(std::uint32_t& word, std::uint32_t value) {
  if (!parallel()) {
    if (word != kFree) {
      return false;
    }
    word = value;
    return true;
  }
  std::uint32_t expected = kFree;
  return __atomic_compare_exchange_n(&word, &expected, value, false, __ATOMIC_ACQUIRE,
                                     __ATOMIC_RELAXED);
}

/// With several vCPUs: spin a little, then sleep on the word in the host.
void take_contended(std::uint32_t& word) {
  for (unsigned spins = 0; spins < lock_host::kSpins; ++spins) {
    if (try_take(word, kHeld)) {
      return;
    }
    lock_host::relax();
  }
  while (__atomic_exchange_n(&word, kContended, __ATOMIC_ACQUIRE) != kFree) {
    lock_host::wait_word(word, kContended);
  }
}

void take(std::uint32_t& word) {
  if (parallel()) {
    if (!try_take(word, kHeld)) {
      take_contended(word);
    }
    return;
  }
  if (word != kFree) [[unlikely]] {
    panic("spinlock found held with one vCPU");
  }
  word = kHeld;
}

void give(std::uint32_t& word) {
  if (parallel()) {
    if (__atomic_exchange_n(&word, kFree, __ATOMIC_RELEASE) == kContended) {
      lock_host::wake_word(word);
    }
    return;
  }
  word = kFree;
}

/// Where tasks wait for a contended Mutex, by its address.
constexpr std::size_t kParkingQueues = 32;
WaitQueue& parking_queue(const void* lock) {
  static constinit std::array<WaitQueue, kParkingQueues> queues{};  // each has its own lock
  return queues[reinterpret_cast<std::uintptr_t>(lock) / 64 % kParkingQueues];
}

/// The big lock's word; who holds it is known by each task itself.
constinit std::uint32_t g_kernel_lock = kFree;

}  // namespace

void SpinLock::acquire() {
  trace_acquire(this, rank_, LockKind::Spin);
  take(word_);
}
void SpinLock::release() {
  give(word_);
  trace_release(this, LockKind::Spin);
}

void Mutex::acquire() {
  trace_acquire(this, rank_, LockKind::Sleeping);
  if (try_take(word_, kHeld)) {
    return;
  }
  // Uninterruptible and without a deadline: cannot fail.
  (void)wait(
      parking_queue(this),
      [this] { return __atomic_exchange_n(&word_, kContended, __ATOMIC_ACQUIRE) == kFree; },
      kNoDeadline, Interruptible::No);
}

bool Mutex::try_acquire() {
  if (!try_take(word_, kHeld)) {
    return false;
  }
  LockTrace* const trace = lock_host::trace();
  KERNEL_CHECK(trace == nullptr || trace->push(this, rank_, LockKind::Sleeping));
  return true;
}

void Mutex::release() {
  const std::uint32_t was = parallel() ? __atomic_exchange_n(&word_, kFree, __ATOMIC_RELEASE)
                                       : std::exchange(word_, kFree);
  trace_release(this, LockKind::Sleeping);
  if (was == kContended) {
    wake_all(parking_queue(this));
  }
}

namespace detail {

void kernel_lock_take() {
  take(g_kernel_lock);
  *lock_host::kernel_lock_flag() = true;
}

bool kernel_lock_drop() {
  bool* const held = lock_host::kernel_lock_flag();
  if (held == nullptr || !*held) {
    return false;
  }
  *held = false;
  give(g_kernel_lock);
  return true;
}

}  // namespace detail

KernelLock::Guard::Guard() {
#ifdef KERNEL_DEBUG
  if (!lock_host::trace()->empty() || *lock_host::kernel_lock_flag()) {
    panic("kernel lock taken while a lock is held");
  }
#endif
  detail::kernel_lock_take();
}
KernelLock::Guard::~Guard() {
  (void)detail::kernel_lock_drop();
}

KernelLock::Release::Release() : was_held_(detail::kernel_lock_drop()) {}
KernelLock::Release::~Release() {
  if (was_held_) {
    detail::kernel_lock_take();
  }
}

}  // namespace runhl::kernel
