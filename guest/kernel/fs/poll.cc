// SPDX-License-Identifier: Apache-2.0
#include "fs/poll.h"

#include <poll.h>

#include <algorithm>

#include "mm/heap.h"

namespace runhl::kernel {
namespace {

static_assert(kAlwaysPolled == (POLLERR | POLLHUP));

/// While a stream of the monitor and something of the guest are waited for together, each is
/// looked at this often.
constexpr Nanoseconds kTurn = 10'000'000;

bool at_monitor(const PollItem& item) {
  return item.file != nullptr && item.file->polls_at_monitor() &&
         (item.events & (POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM)) != 0;
}

std::size_t scan(std::span<PollItem> items) {
  std::size_t ready = 0;
  for (PollItem& item : items) {
    if (item.file != nullptr && !item.file->polls_at_monitor()) {
      item.revents = item.file->poll_state() & (item.events | kAlwaysPolled);
    }
    ready += item.revents != 0 ? 1 : 0;
  }
  return ready;
}

Nanoseconds earlier(Nanoseconds a, Nanoseconds b) {
  if (a == kNoDeadline || b == kNoDeadline) {
    return a == kNoDeadline ? b : a;
  }
  return std::min(a, b);
}

/// One look at every stream of the monitor; the first may wait until `deadline`.
Result<void> ask_monitor(std::span<PollItem> items, Nanoseconds deadline) {
  Nanoseconds until = deadline;
  for (PollItem& item : items) {
    if (!at_monitor(item)) {
      continue;
    }
    const Result<std::uint32_t> ready = item.file->wait_ready(item.events, until);
    if (!ready && to_int(ready.error()) != ETIMEDOUT) {
      return tl::unexpected(ready.error());
    }
    item.revents = ready ? *ready & (item.events | kAlwaysPolled) : 0;
    until = monotonic_now();  // the others are only asked
  }
  return {};
}

class Waiters {
 public:
  static Result<Owned<Waiters>> create(std::size_t count) {
    Owned<Waiters> waiters = TRY(make<Waiters>());
    waiters->memory_ = static_cast<Waiter*>(heap_allocate(count * sizeof(Waiter)));
    if (waiters->memory_ == nullptr) {
      return fail(ENOMEM);
    }
    waiters->count_ = count;
    return waiters;
  }
  Waiters() = default;
  Waiters(const Waiters&) = delete;
  Waiters& operator=(const Waiters&) = delete;
  ~Waiters() {
    if (memory_ != nullptr) {
      heap_free(memory_, count_ * sizeof(Waiter));
    }
  }

  void enter(std::span<PollItem> items) {
    for (std::size_t i = 0; i < items.size(); ++i) {
      new (&memory_[i]) Waiter;
      if (WaitQueue* const queue = queue_of(items[i])) {
        detail::prepare_wait(*queue, memory_[i]);
      }
    }
  }
  void leave(std::span<PollItem> items) {
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (WaitQueue* const queue = queue_of(items[i])) {
        detail::finish_wait(*queue, memory_[i]);
      }
    }
  }

 private:
  static WaitQueue* queue_of(const PollItem& item) {
    return item.file == nullptr ? nullptr : item.file->poll_queue();
  }
  Waiter* memory_ = nullptr;
  std::size_t count_ = 0;
};

/// Sleeps until a queue of the guest is woken or `deadline`.
Result<void> sleep_on_queues(std::span<PollItem> items, Nanoseconds deadline) {
  // One more queue, which nobody wakes: with no other the task must still be prepared to sleep.
  WaitQueue never;
  Waiter own;
  const Owned<Waiters> waiters = TRY(Waiters::create(items.size() + 1));
  detail::prepare_wait(never, own);
  waiters->enter(items);
  Result<void> slept;
  if (scan(items) == 0) {
    slept = detail::sleep(deadline, Interruptible::Yes);
  }
  waiters->leave(items);
  detail::finish_wait(never, own);
  if (!slept && to_int(slept.error()) == ETIMEDOUT) {
    return {};
  }
  return slept;
}

}  // namespace

Result<std::size_t> poll_files(std::span<PollItem> items, Nanoseconds deadline) {
  const bool streams = std::any_of(items.begin(), items.end(), at_monitor);
  const bool own = std::any_of(items.begin(), items.end(), [](const PollItem& item) {
    return item.file != nullptr && item.file->poll_queue() != nullptr;
  });
  const bool turns = own || std::count_if(items.begin(), items.end(), at_monitor) > 1;
  for (;;) {
    std::size_t ready = scan(items);
    const bool expired = deadline != kNoDeadline && deadline <= monotonic_now();
    if (streams) {
      Nanoseconds until = turns ? earlier(deadline, monotonic_now() + kTurn) : deadline;
      if (ready != 0) {
        until = monotonic_now();
      }
      TRY(ask_monitor(items, until));
      ready = scan(items);
    }
    if (ready != 0 || expired) {
      return ready;
    }
    if (!streams) {
      TRY(sleep_on_queues(items, deadline));
    }
  }
}

}  // namespace runhl::kernel
