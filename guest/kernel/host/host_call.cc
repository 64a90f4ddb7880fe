// SPDX-License-Identifier: Apache-2.0
#include "host/host_call.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <utility>

#include "arch/x86_64/host_syscall.h"
#include "host/events.h"
#include "host/ring.h"
#include "sched/scheduler.h"

namespace runhl::kernel {

namespace {

constexpr std::uint32_t kNoSlot = ~0U;
/// A tag is the request's index; with this bit nobody waits and the completion frees the request.
constexpr std::uint32_t kTagDetached = 1U << 16;
constexpr std::int64_t kUnanswered = std::numeric_limits<std::int64_t>::min();

struct RequestState {
  WaitQueue done_queue;
  std::atomic<bool> done{false};
  std::int32_t result = 0;
  RingListener* listener = nullptr;  // of a posted request
  bool may_wait = false;             // guarded by g_pool.lock
  bool orphaned = false;             // the same; a file request whose caller was killed
};

struct RequestPool {
  SpinLock lock{LockRank::Ring};
  std::uint64_t free = ~0ULL;   // guarded by lock; bit i: request i
  std::uint64_t abandoned = 0;  // guarded by lock; the monitor may still write into these
  std::uint32_t waiting = 0;    // guarded by lock; requests that may wait
  WaitQueue freed, freed_to_wait;
  std::array<RequestState, abi::kRequestSlotCount> requests{};
};
static_assert(abi::kRequestSlotCount == 64);
constinit RequestPool g_pool;

abi::RequestSlot& request_slot(std::uint32_t index) {
  // SAFETY: the host-call area is mapped for the life of the cells; index < kRequestSlotCount.
  return *reinterpret_cast<abi::RequestSlot*>(abi::kHostCallArea + abi::kSlotsOffset +
                                              std::uint64_t{index} * sizeof(abi::RequestSlot));
}

bool is_answered(std::uint32_t index) {
  return __atomic_load_n(&request_slot(index).reply.result, __ATOMIC_ACQUIRE) != kUnanswered;
}

/// Requests of cells that died are free again once the monitor has answered them.
std::uint64_t abandoned_and_answered(std::uint64_t abandoned) {
  std::uint64_t answered = 0;
  for (; abandoned != 0; abandoned &= abandoned - 1) {
    const auto index = static_cast<std::uint32_t>(__builtin_ctzll(abandoned));
    answered |= is_answered(index) ? 1ULL << index : 0;
  }
  return answered;
}

/// More do not wait at one time: file systems that hang leave the others some requests.
constexpr std::uint32_t kMaxWaiting = 48;

std::uint32_t take_request(Patience patience) {
  const SpinLock::Guard guard(g_pool.lock);
  if (patience == Patience::MayWait && g_pool.waiting >= kMaxWaiting) {
    return kNoSlot;
  }
  if (g_pool.abandoned != 0) [[unlikely]] {
    const std::uint64_t answered = abandoned_and_answered(g_pool.abandoned);
    g_pool.abandoned &= ~answered;
    g_pool.free |= answered;
  }
  if (g_pool.free == 0) {
    return kNoSlot;
  }
  const auto index = static_cast<std::uint32_t>(__builtin_ctzll(g_pool.free));
  g_pool.free &= g_pool.free - 1;
  if (patience == Patience::MayWait) {
    g_pool.requests[index].may_wait = true;
    ++g_pool.waiting;
  }
  return index;
}

void give_request(std::uint32_t index) {
  {
    const SpinLock::Guard guard(g_pool.lock);
    g_pool.free |= 1ULL << index;
    if (std::exchange(g_pool.requests[index].may_wait, false)) {
      --g_pool.waiting;
    }
  }
  wake_one(g_pool.freed);
  // Whoever waits was in the queue before he looked under the lock, so he is seen here.
  if (__atomic_load_n(&g_pool.freed_to_wait.head, __ATOMIC_RELAXED) != nullptr) {
    wake_one(g_pool.freed_to_wait);
  }
}

std::span<std::byte> bounce_buffer(std::uint32_t index) {
  // SAFETY: as above.
  return {reinterpret_cast<std::byte*>(abi::kHostCallArea + abi::kBounceOffset +
                                       std::uint64_t{index} * abi::kBounceSize),
          abi::kBounceSize};
}

abi::Ring& ring(std::uint32_t vcpu_id) {
  // SAFETY: as above.
  return *reinterpret_cast<abi::Ring*>(abi::kHostCallArea + abi::kRingsOffset +
                                       std::uint64_t{vcpu_id} * abi::kRingStride);
}

/// The vCPU whose ring the caller may use; cell 0 and the boot code use vCPU 0's.
std::uint32_t ring_id() {
  const Vcpu* const cpu = this_carrier().vcpu;
  return cpu == nullptr ? 0 : cpu->id;
}

void fill_credentials(abi::FsCredentials& out) {
  const Credentials& from = current().credentials;
  out.uid = from.fsuid;
  out.gid = from.fsgid;
  out.capabilities = from.effective;
  out.group_count = from.group_count;
  std::copy_n(from.groups.begin(), from.group_count, out.groups.begin());
}

/// A file request whose caller was killed is over. What it opened is closed with the same slot.
void end_orphaned(std::uint32_t index) {
  abi::RequestSlot& slot = request_slot(index);
  if (slot.op == abi::HostOp::Open && slot.reply.result > 0) {
    slot.op = abi::HostOp::Close;
    slot.handle = static_cast<abi::Handle>(slot.reply.result);
    slot.close = {};
    ring_submit({abi::RingOp::File, index, 0, index, 0, 0, 0});
    return;
  }
  g_pool.requests[index].orphaned = false;
  give_request(index);
}

void complete(const abi::RingCompletion& completion) {
  const std::uint32_t index = completion.tag & ~kTagDetached;
  if (index >= abi::kRequestSlotCount) {
    return;
  }
  if ((completion.tag & kTagDetached) != 0) {
    give_request(index);
    return;
  }
  RequestState& state = g_pool.requests[index];
  if (RingListener* const listener = std::exchange(state.listener, nullptr)) {
    give_request(index);
    listener->on_completion(completion.result);
    return;
  }
  state.result = completion.result;
  bool orphaned = false;
  {
    const SpinLock::Guard guard(g_pool.lock);
    state.done.store(true, std::memory_order_release);
    orphaned = state.orphaned;
  }
  if (orphaned) {
    end_orphaned(index);
    return;
  }
  wake_all(state.done_queue);
}

/// True: `out` is the oldest completion of this vCPU's ring.
bool take_completion(abi::RingCompletion& out) {
  abi::Ring& queue = ring(ring_id());
  const SpinLock::Guard guard(g_pool.lock);
  const std::uint32_t taken = queue.complete_taken;
  if (taken == __atomic_load_n(&queue.complete_head, __ATOMIC_ACQUIRE)) {
    return false;
  }
  out = queue.complete[taken % abi::kRingEntries];
  __atomic_store_n(&queue.complete_taken, taken + 1, __ATOMIC_RELEASE);
  return true;
}

bool ring_full(abi::Ring& queue) {
  return queue.submit_head - __atomic_load_n(&queue.submit_taken, __ATOMIC_ACQUIRE) >=
         abi::kRingEntries;
}

/// The monitor takes entries at once when it is awake; a full ring means that it is behind.
void wait_for_room(abi::Ring& queue) {
  const std::uint32_t never = 0;
  const __kernel_timespec pause{0, 100'000};
  while (ring_full(queue)) {
    (void)host::ring_doorbell();
    (void)host::futex_wait(&never, 0, &pause);
  }
}

}  // namespace

void ring_submit(const abi::RingEntry& entry) {
  abi::Ring& queue = ring(ring_id());
  wait_for_room(queue);
  {
    const SpinLock::Guard guard(g_pool.lock);
    const std::uint32_t head = queue.submit_head;
    queue.submit[head % abi::kRingEntries] = entry;
    // Sequentially consistent against the monitor's "set sleeping, look again": either it sees the
    // entry, or we see that it sleeps.
    __atomic_store_n(&queue.submit_head, head + 1, __ATOMIC_SEQ_CST);
  }
  abi::HostCallHeader& header = host_header();
  ++header.stats.ring_entries;
  if (__atomic_load_n(&header.monitor_sleeping, __ATOMIC_SEQ_CST) != 0) {
    (void)host::ring_doorbell();  // fails only when the counter is at its end: it rings already
  }
}

void ring_take_completions() {
  abi::RingCompletion completion{};
  while (take_completion(completion)) {
    complete(completion);
  }
}

bool ring_post_bytes(abi::RingOp op, std::uint64_t value, std::span<const std::byte> bytes) {
  const std::uint32_t index = take_request(Patience::Short);
  if (index == kNoSlot) {
    return false;
  }
  const std::size_t length = std::min<std::size_t>(bytes.size(), abi::kBounceSize);
  std::memcpy(bounce_buffer(index).data(), bytes.data(), length);
  ring_submit({op, index | kTagDetached, 0, index, static_cast<std::uint32_t>(length), 0, value});
  return true;
}

void ring_post(abi::RingOp op, std::uint32_t stream, std::uint64_t value) {
  ring_submit({op, 0, stream, 0, 0, 0, value});
}

void log_line(std::string_view text) {
  constexpr std::size_t kMaxLine = 256;
  // Without a free request the line is lost: the log never makes anybody wait.
  (void)ring_post_bytes(abi::RingOp::Log, 0,
                        std::as_bytes(std::span(text)).first(std::min(text.size(), kMaxLine)));
}

bool host_owes_answers() {
  // Without the lock: one that is just given back costs a tick.
  const std::uint64_t ours = __atomic_load_n(&g_pool.free, __ATOMIC_RELAXED) |
                             __atomic_load_n(&g_pool.abandoned, __ATOMIC_RELAXED);
  return ours != ~0ULL;
}

std::uint64_t host_traffic() {
  const abi::GuestStats& stats = host_header().stats;
  return stats.reserved_calls + stats.ring_entries + stats.context_switches;
}

Result<HostRequest> HostRequest::acquire(Patience patience) {
  std::uint32_t index = take_request(patience);
  if (index == kNoSlot) {
    const bool long_one = patience == Patience::MayWait;
    TRY(wait(
        long_one ? g_pool.freed_to_wait : g_pool.freed,
        [&index, patience] {
          index = take_request(patience);
          return index != kNoSlot;
        },
        kNoDeadline, long_one ? Interruptible::Killable : Interruptible::No));
  }
  std::memset(&request_slot(index), 0, sizeof(abi::RequestSlot));
  request_slot(index).slot = -1;
  return HostRequest(index);
}

HostRequest::HostRequest(HostRequest&& other) noexcept
    : index_(other.index_), abandoned_(other.abandoned_) {
  other.index_ = kNoSlot;
}

HostRequest::~HostRequest() {
  if (index_ != kNoSlot && !abandoned_) {
    give_request(index_);
  }
}

abi::RequestSlot& HostRequest::slot() const {
  return request_slot(index_);
}
std::span<std::byte> HostRequest::bounce() const {
  return bounce_buffer(index_);
}

void HostRequest::abandon() {
  const SpinLock::Guard guard(g_pool.lock);
  g_pool.abandoned |= 1ULL << index_;
  abandoned_ = true;
}

Result<std::int64_t> HostRequest::call_by_ring(Interruptible interruptible) {
  RequestState& state = g_pool.requests[index_];
  state.done.store(false, std::memory_order_relaxed);
  ring_submit({abi::RingOp::File, index_, 0, index_, 0, 0, 0});
  const auto done = [&state] { return state.done.load(std::memory_order_acquire); };
  const Result<void> waited = wait(state.done_queue, done, kNoDeadline, interruptible);
  if (!waited) {
    const SpinLock::Guard guard(g_pool.lock);
    if (!done()) {
      // The slot and its buffer are the monitor's until it answers.
      state.orphaned = true;
      abandoned_ = true;
      return tl::unexpected(waited.error());
    }
  }
  // A completion has 32 bits; a refusal (no thread, no room) comes as one alone.
  const std::int64_t result = state.result < 0 ? state.result : slot().reply.result;
  if (result < 0) {
    return fail(static_cast<int>(-result));
  }
  return result;
}

Result<std::int64_t> HostRequest::call() {
  abi::RequestSlot& request = slot();
  fill_credentials(request.credentials);
  if (g_pool.requests[index_].may_wait) {
    return call_by_ring(Interruptible::Killable);
  }
  if ((monitor_page().flags & abi::kHasInjection) == 0) {
    return call_by_ring(Interruptible::No);  // a call that nobody hears would kill the cell
  }
  ++host_header().stats.reserved_calls;
  for (;;) {
    __atomic_store_n(&request.reply.result, kUnanswered, __ATOMIC_RELEASE);
    const std::int64_t result = host::reserved_call(index_);
    // A host signal (tick, kick) before the monitor took the call: nothing has happened, again.
    const bool untouched = !is_answered(index_);
    if (result == -EINTR && untouched) {
      continue;
    }
    if (result == -EOWNERDEAD && untouched) {
      abandon();
      return fail(EIO);  // nobody sees it: the program is dead
    }
    if (result < 0) {
      return fail(static_cast<int>(-result));
    }
    return result;
  }
}

Result<std::int32_t> HostRequest::ring_call(abi::RingOp op, std::uint32_t stream,
                                            std::uint32_t length, std::uint64_t value,
                                            bool interruptible, Nanoseconds deadline) {
  RequestState& state = g_pool.requests[index_];
  state.done.store(false, std::memory_order_relaxed);
  ring_submit({op, index_, stream, index_, length, 0, value});
  const auto done = [&state] { return state.done.load(std::memory_order_acquire); };
  const Result<void> waited = wait(state.done_queue, done, deadline,
                                   interruptible ? Interruptible::Yes : Interruptible::No);
  if (!waited) {
    // The bounce buffer is the monitor's until the entry completes, so that is waited for.
    ring_submit({abi::RingOp::Cancel, index_, stream, 0, 0, 0, 0});
    (void)wait(state.done_queue, done, kNoDeadline, Interruptible::No);
    if (state.result == -EINTR) {
      return tl::unexpected(waited.error());
    }
  }
  if (state.result < 0) {
    return fail(-state.result);
  }
  return state.result;
}

std::uint32_t HostRequest::ring_post(abi::RingOp op, std::uint32_t stream, std::uint64_t value,
                                     RingListener& listener) && {
  const std::uint32_t index = std::exchange(index_, kNoSlot);
  g_pool.requests[index].listener = &listener;
  ring_submit({op, index, stream, index, 0, 0, value});
  this_cpu().raise(kPendTick);  // the caller may go on to its program
  return index;
}

void ring_cancel(std::uint32_t tag, std::uint32_t stream) {
  ring_submit({abi::RingOp::Cancel, tag, stream, 0, 0, 0, 0});
}

}  // namespace runhl::kernel
