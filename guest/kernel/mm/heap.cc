// SPDX-License-Identifier: Apache-2.0
#include "mm/heap.h"

#include <linux/falloc.h>
#include <linux/mman.h>

#include <algorithm>
#include <bit>
#include <utility>

#include "arch/x86_64/host_syscall.h"
#include "core/panic.h"
#include "mm/heap_init.h"
#include "mm/object_pages.h"
#include "mm/page_runs.h"
#include "runhl/abi/layout.h"
#include "runhl/core/units.h"
#include "sched/lock_host.h"
#include "sched/lock_trace.h"
#include "sched/locks.h"
#include "sched/timers.h"

namespace runhl::kernel {

namespace {

struct Heap {
  SpinLock lock{LockRank::Allocator};
  std::byte* first_page = nullptr;  // written once, by heap_init
  PageRuns runs;                    // guarded by lock
  ObjectPages objects;              // guarded by lock
  bool resting = false;             // guarded by lock: the timer is armed
  Timer* rest_timer = nullptr;      // made and used by who set `resting`
};
constinit Heap g_heap;

unsigned order_of(std::size_t size) {
  const std::size_t pages = (size + kPageSize - 1) / kPageSize;
  return static_cast<unsigned>(std::bit_width(pages - 1));
}

/// From this order on (256 KiB) a freed run's pages go back to the host at once.
constexpr unsigned kReturnOrder = 6;
/// From this order on (64 KiB) free runs go back when the heap is at rest, or holds many.
constexpr unsigned kTrimOrder = 4;
constexpr std::size_t kManyDirtyPages = 16 * kMiB / kPageSize;
constexpr Nanoseconds kRest = 1'000'000'000;
/// Clearing less is cheaper by storing zeroes.
constexpr std::size_t kPunchSize = kPageSize << kTrimOrder;

/// A refusal only keeps the memory resident.
bool punch(void* memory, std::size_t size) {
  return host::fallocate(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                         abi::memfd_offset(reinterpret_cast<std::uint64_t>(memory)), size) == 0;
}

/// The host call is made without the lock, on a run that nobody else can have.
void trim() {
  for (;;) {
    PageRuns::Run run;
    {
      const SpinLock::Guard guard(g_heap.lock);
      run = g_heap.runs.take_dirty(kTrimOrder);
    }
    if (run.memory == nullptr) {
      return;
    }
    (void)punch(run.memory, kPageSize << run.order);
    const SpinLock::Guard guard(g_heap.lock);
    g_heap.runs.free(run.memory, run.order, PageRuns::State::Clean);
  }
}

/// True: the caller is to arm the timer, which rests.
bool begin_rest() {
  const SpinLock::Guard guard(g_heap.lock);
  const bool begins = !g_heap.resting && g_heap.runs.dirty_pages() >= std::size_t{1} << kTrimOrder;
  g_heap.resting |= begins;
  return begins;
}

bool end_rest() {
  const SpinLock::Guard guard(g_heap.lock);
  return std::exchange(g_heap.resting, false);
}

/// Null: no memory for it, and then there is little to give back. Called by one task at a time.
Timer* rest_timer() {
  if (g_heap.rest_timer == nullptr) {
    auto* const timer = new (std::nothrow) Timer;
    if (timer == nullptr) {
      return nullptr;
    }
    timer->fire = [](Timer&) {
      (void)end_rest();
      trim();
    };
    g_heap.rest_timer = timer;  // lives as long as the kernel
  }
  return g_heap.rest_timer;
}

bool holds_many_dirty_pages() {
  const SpinLock::Guard guard(g_heap.lock);
  return g_heap.runs.dirty_pages() > kManyDirtyPages;
}

/// Gives free runs back soon, or now when they are many. Takes the timers' lock.
void trim_later() {
  if (holds_many_dirty_pages()) {
    trim();
  } else if (begin_rest()) {
    Timer* const timer = rest_timer();
    if (timer == nullptr) {
      (void)end_rest();
      return;
    }
    timer_set(*timer, monotonic_now() + kRest);
  }
}

// Both: true when free pages came about that the host keeps memory for.

bool free_object(void* memory, std::size_t size) {
#ifdef KERNEL_DEBUG
  __builtin_memset(memory, 0xdd, size);
#endif
  const SpinLock::Guard guard(g_heap.lock);
  return g_heap.objects.free(memory, size);
}

bool free_run(void* memory, std::size_t size) {
  const unsigned order = order_of(size);
  // Before the run can be given out again.
  const bool clean = order >= kReturnOrder && punch(memory, kPageSize << order);
  const SpinLock::Guard guard(g_heap.lock);
  g_heap.runs.free(static_cast<std::byte*>(memory), order,
                   clean ? PageRuns::State::Clean : PageRuns::State::Dirty);
  return !clean;
}

}  // namespace

void heap_init(std::uint64_t size) {
  const std::uint64_t pages = size / kPageSize;
  // What is kept of each page lies at the start of the heap, zero in a fresh memfd: the map of run
  // orders, and the notes of pages of objects.
  const std::uint64_t map_size = align_up(pages, kPageSize);
  const std::uint64_t notes_size = align_up(pages * sizeof(ObjectPages::Note), kPageSize);
  const std::uint64_t kept_pages = (map_size + notes_size) / kPageSize;
  KERNEL_CHECK(pages > kept_pages);
  // SAFETY: the launcher has mapped `size` bytes of the kernel memory here.
  auto* const start = reinterpret_cast<std::byte*>(abi::kKernelHeap);
  auto* const map = reinterpret_cast<std::uint8_t*>(start);
  auto* const notes = reinterpret_cast<ObjectPages::Note*>(start + map_size);
  g_heap.first_page = start + kept_pages * kPageSize;
  g_heap.runs = PageRuns(g_heap.first_page, std::span(map, pages - kept_pages));
  g_heap.objects = ObjectPages(g_heap.runs, std::span(notes, pages - kept_pages));
}

void heap_populate() {
  constexpr std::size_t kBootPages = 32;
  // A refusal costs only time: the pages come one by one then.
  (void)host::madvise(reinterpret_cast<std::uint64_t>(g_heap.first_page), kBootPages * kPageSize,
                      MADV_POPULATE_WRITE);
}

void* heap_allocate(std::size_t size) {
  if (size > abi::kKernelHeapMaxSize) {
    return nullptr;
  }
  const SpinLock::Guard guard(g_heap.lock);
  return size <= ObjectPages::kLargest ? g_heap.objects.allocate(size)
                                       : g_heap.runs.allocate(order_of(size));
}

void heap_free(void* memory, std::size_t size) {
  if (memory == nullptr) {
    return;
  }
  if (size <= ObjectPages::kLargest ? free_object(memory, size) : free_run(memory, size)) {
    const LockTrace* const held = lock_host::trace();
    if (held != nullptr && !held->holds_spinlock()) {
      trim_later();
    }
  }
}

void heap_free_pages(void* first, std::size_t pages) {
  auto* at = static_cast<std::byte*>(first);
  while (pages != 0) {
    const std::size_t piece = std::size_t{1} << g_heap.runs.order_at(at, pages);
    heap_free(at, piece * kPageSize);
    at += piece * kPageSize;
    pages -= piece;
  }
}

void* heap_allocate_zeroed(std::size_t size) {
  size = align_up(size, kPageSize);
  void* const memory = heap_allocate(size);
  if (memory != nullptr && (order_of(size) < kTrimOrder || !punch(memory, size))) {
    __builtin_memset(memory, 0, size);
  }
  return memory;
}

void heap_zero(void* memory, std::size_t size) {
  auto* const start = static_cast<std::byte*>(memory);
  const auto address = reinterpret_cast<std::uint64_t>(memory);
  const std::uint64_t head = std::min(align_up(address, kPageSize) - address, size);
  const std::uint64_t pages = align_down(size - head, kPageSize);
  if (pages < kPunchSize || !punch(start + head, pages)) {
    __builtin_memset(start, 0, size);
    return;
  }
  __builtin_memset(start, 0, head);
  __builtin_memset(start + head + pages, 0, size - head - pages);
}

std::uint64_t heap_free_bytes() {
  const SpinLock::Guard guard(g_heap.lock);
  return g_heap.runs.free_pages() * kPageSize;
}

}  // namespace runhl::kernel

// The language's allocation, for make<T>() and the containers that say nothrow.
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  return runhl::kernel::heap_allocate(size);
}
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept {
  // delete[] of trivial types is not told the size: it goes in front.
  auto* const block = static_cast<std::size_t*>(runhl::kernel::heap_allocate(size + 16));
  if (block == nullptr) {
    return nullptr;
  }
  *block = size + 16;
  return block + 2;
}
void operator delete(void* memory, std::size_t size) noexcept {
  runhl::kernel::heap_free(memory, size);
}
void operator delete[](void* memory) noexcept {
  if (memory != nullptr) {
    std::size_t* const block = static_cast<std::size_t*>(memory) - 2;
    runhl::kernel::heap_free(block, *block);
  }
}
void operator delete[](void* memory, std::size_t) noexcept {
  operator delete[](memory);
}
void operator delete(void*) noexcept {
  runhl::kernel::panic("delete of an object of unknown size");
}
