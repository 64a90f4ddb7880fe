// SPDX-License-Identifier: Apache-2.0
#include "fs/poll_source.h"

#include <poll.h>

namespace runhl::kernel {
namespace {

constinit SpinLock g_readiness_lock{LockRank::Readiness};
constexpr std::uint32_t kAlwaysReported = POLLERR | POLLHUP;

}  // namespace

SpinLock& readiness_lock() {
  return g_readiness_lock;
}

PollObserver::~PollObserver() {
  PollSource::detach(*this);
}

PollSource::~PollSource() {
  if (!observed()) {
    return;
  }
  const SpinLock::Guard guard(g_readiness_lock);
  while (!observers_.empty()) {
    remove_locked(observers_.front());
  }
}

void PollSource::attach(PollObserver& observer) {
  const SpinLock::Guard guard(g_readiness_lock);
  attach_locked(observer);
}

void PollSource::attach_locked(PollObserver& observer) {
  observer.source_.store(this, std::memory_order_relaxed);
  if (observer.sharing_ == PollObserver::Sharing::Exclusive) {
    observers_.push_back(observer);
  } else {
    observers_.push_front(observer);  // before the exclusive ones, which end the walk
  }
  // Against "state changed, then observed()?": the attacher looks at the state afterwards.
  count_.fetch_add(1, std::memory_order_seq_cst);
}

void PollSource::detach(PollObserver& observer) {
  if (observer.source_.load(std::memory_order_acquire) == nullptr) {
    return;  // never attached, or its source died
  }
  const SpinLock::Guard guard(g_readiness_lock);
  detach_locked(observer);
}

void PollSource::detach_locked(PollObserver& observer) {
  if (PollSource* const source = observer.source_.load(std::memory_order_relaxed)) {
    source->remove_locked(observer);
  }
}

void PollSource::remove_locked(PollObserver& observer) {
  observers_.erase(observers_.iterator_to(observer));
  observer.source_.store(nullptr, std::memory_order_release);
  count_.fetch_sub(1, std::memory_order_relaxed);
}

void PollSource::notify(std::uint32_t events) {
  // A read in the order of the counts' changes: an attacher that is not seen here counts after it,
  // and then looks at the state that is to be told.
  if (count_.fetch_add(0, std::memory_order_seq_cst) == 0) {
    return;
  }
  const SpinLock::Guard guard(g_readiness_lock);
  notify_locked(events);
}

void PollSource::notify_locked(std::uint32_t events) {
  PollObserver* used = nullptr;
  for (PollObserver& observer : observers_) {
    if ((events & (observer.interest() | kAlwaysReported)) == 0) {
      continue;
    }
    if (observer.on_event(events) && observer.sharing_ == PollObserver::Sharing::Exclusive) {
      used = &observer;
      break;
    }
  }
  if (used != nullptr) {  // the next one's turn
    observers_.erase(observers_.iterator_to(*used));
    observers_.push_back(*used);
  }
}

std::uint32_t PollSource::interests() const {
  const SpinLock::Guard guard(g_readiness_lock);
  std::uint32_t events = 0;
  for (const PollObserver& observer : observers_) {
    events |= observer.interest();
  }
  return events;
}

}  // namespace runhl::kernel
