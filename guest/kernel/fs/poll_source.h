// SPDX-License-Identifier: Apache-2.0
// Readiness, as poll, select and epoll share it. A file whose state changes owns a PollSource (or
// shares one with its other end) and tells it what came true; who waits is an observer.
//
//   file's side:     state changed; source_.notify(POLLIN | POLLRDNORM);
//   waiter's side:   source.attach(observer);      // from now on notify() reaches it
//                    if (file.poll_state() & …)    // so look at the state only after
//                    source.detach(observer);
//
// One lock serves all sources: an epoll is an observer of many and a source itself, and may be
// watched by another epoll, so locks of each would be taken in no fixed order. It is taken only
// where somebody observes. Sources and observers may die in any order.
#pragma once

#include <atomic>
#include <boost/intrusive/list.hpp>
#include <cstdint>

#include "sched/locks.h"
#include "sched/wait.h"

namespace runhl::kernel {

class PollSource;

class PollObserver {
 public:
  /// Of the exclusive ones only one is told, the first that has use for the news.
  enum class Sharing : bool { All, Exclusive };

  PollObserver() = default;
  PollObserver(const PollObserver&) = delete;
  PollObserver& operator=(const PollObserver&) = delete;
  virtual ~PollObserver();

  /// With the readiness lock held: wakes, never sleeps. False: no use for it.
  virtual bool on_event(std::uint32_t events) = 0;

  /// POLL* it wants to hear of; POLLERR and POLLHUP always reach it.
  void set_interest(std::uint32_t events, Sharing sharing = Sharing::All) {
    interest_.store(events, std::memory_order_relaxed);
    sharing_ = sharing;
  }
  [[nodiscard]] std::uint32_t interest() const { return interest_.load(std::memory_order_relaxed); }

 private:
  friend class PollSource;
  boost::intrusive::list_member_hook<> hook_;
  std::atomic<PollSource*> source_{nullptr};  // changed under the readiness lock
  std::atomic<std::uint32_t> interest_{0};
  Sharing sharing_ = Sharing::All;
};

class PollSource {
 public:
  PollSource() = default;
  PollSource(const PollSource&) = delete;
  PollSource& operator=(const PollSource&) = delete;
  ~PollSource();

  void attach(PollObserver& observer);
  /// Does nothing to one that is not attached. A derived observer is detached before its own
  /// destructor has run.
  static void detach(PollObserver& observer);
  /// Locks up to rank TaskList may be held.
  void notify(std::uint32_t events);
  // The same where the readiness lock is held already.
  void attach_locked(PollObserver& observer);
  static void detach_locked(PollObserver& observer);
  void notify_locked(std::uint32_t events);
  /// All that somebody wants to hear of.
  [[nodiscard]] std::uint32_t interests() const;
  [[nodiscard]] bool observed() const { return count_.load(std::memory_order_seq_cst) != 0; }

 private:
  using Hook = boost::intrusive::member_hook<PollObserver, boost::intrusive::list_member_hook<>,
                                             &PollObserver::hook_>;
  void remove_locked(PollObserver& observer);

  boost::intrusive::list<PollObserver, Hook, boost::intrusive::constant_time_size<false>>
      observers_;
  std::atomic<std::uint32_t> count_{0};
};

/// The lock of all sources.
SpinLock& readiness_lock();

}  // namespace runhl::kernel
