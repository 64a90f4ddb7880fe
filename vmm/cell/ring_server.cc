// SPDX-License-Identifier: Apache-2.0
#include "cell/ring_server.h"

#include <linux/futex.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>

#include "cell/raw_call.h"

namespace runhl::vmm::cell {

namespace {

void wake(std::uint32_t* word) {
  __atomic_fetch_add(word, 1, __ATOMIC_SEQ_CST);
  (void)raw_call(SYS_futex, word, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
}

bool is_known(abi::RingOp op) {
  return op >= abi::RingOp::StreamRead && op <= abi::RingOp::Started;
}

bool is_sound(const abi::RingEntry& entry) {
  constexpr std::uint32_t kStreams = 3;
  return is_known(entry.op) && entry.stream < kStreams && entry.bounce < abi::kRequestSlotCount &&
         entry.length <= abi::kBounceSize;
}

}  // namespace

RingServer::RingServer(HostCallArea area, int doorbell, std::uint32_t rings)
    : area_(area), doorbell_(doorbell), rings_(std::min(rings, abi::kMaxVcpus)) {}

void RingServer::serve(const Handler& handler) {
  std::uint64_t rung = 0;
  (void)!::read(doorbell_, &rung, sizeof(rung));  // non-blocking; what it counts does not matter
  std::uint32_t& sleeping = area_.header().monitor_sleeping;
  __atomic_store_n(&sleeping, 0, __ATOMIC_SEQ_CST);
  bool more = false;
  for (std::uint32_t ring = 0; ring < rings_; ++ring) {
    more = take(ring, abi::kRingEntries, handler) || more;
  }
  wake_guest();
  if (!more) {
    // Against the guest's "submit, then look whether the monitor sleeps": one of us sees the other.
    __atomic_store_n(&sleeping, 1, __ATOMIC_SEQ_CST);
    more = anything_submitted();
  }
  if (more) {
    // The main loop's other work comes first; a guest that never stops submitting waits with it.
    ring_doorbell();
  }
}

void RingServer::ring_doorbell() {
  const std::uint64_t one = 1;
  (void)!::write(doorbell_, &one, sizeof(one));  // full: it rings already
}

void RingServer::drain(const Handler& handler) {
  for (std::uint32_t ring = 0; ring < rings_; ++ring) {
    (void)take(ring, abi::kRingEntries, handler);
  }
}

bool RingServer::take(std::uint32_t ring, std::uint32_t limit, const Handler& handler) {
  abi::Ring& queue = area_.ring(ring);
  std::uint32_t& taken = taken_[ring];
  for (std::uint32_t count = 0; count < limit; ++count) {
    if (taken == __atomic_load_n(&queue.submit_head, __ATOMIC_SEQ_CST)) {
      return false;
    }
    const abi::RingEntry entry = copy_shared(queue.submit[taken % abi::kRingEntries]);
    ++taken;
    __atomic_store_n(&queue.submit_taken, taken, __ATOMIC_RELEASE);
    if (is_sound(entry)) {
      handler(ring, entry);
    } else {
      complete(ring, entry.tag, -EINVAL);
    }
  }
  return true;
}

bool RingServer::anything_submitted() const {
  for (std::uint32_t ring = 0; ring < rings_; ++ring) {
    if (taken_[ring] != __atomic_load_n(&area_.ring(ring).submit_head, __ATOMIC_SEQ_CST)) {
      return true;
    }
  }
  return false;
}

void RingServer::complete(std::uint32_t ring, std::uint32_t tag, std::int32_t result) {
  abi::Ring& queue = area_.ring(ring);
  std::uint32_t& head = completions_[ring];
  queue.complete[head % abi::kRingEntries] = {tag, result};
  ++head;
  __atomic_store_n(&queue.complete_head, head, __ATOMIC_RELEASE);
  completed_ = true;
}

void RingServer::wake_guest() {
  if (completed_) {
    completed_ = false;
    wake(&area_.header().event_word);
  }
}

void RingServer::raise_event(std::uint32_t events, const GuestSignals& signals) {
  abi::HostCallHeader& header = area_.header();
  __atomic_fetch_or(&header.signals_pending, signals.for_init, __ATOMIC_SEQ_CST);
  __atomic_fetch_or(&header.signals_for_all, signals.for_all, __ATOMIC_SEQ_CST);
  __atomic_fetch_or(&header.events, events, __ATOMIC_SEQ_CST);
  wake(&header.event_word);
  wake(&header.cell0_word);
}

}  // namespace runhl::vmm::cell
