// SPDX-License-Identifier: Apache-2.0
#include "fs/poll.h"

#include <poll.h>

#include <algorithm>
#include <atomic>
#include <memory>

#include "fs/poll_source.h"
#include "mm/heap.h"

namespace runhl::kernel {
namespace {

static_assert(kAlwaysPolled == (POLLERR | POLLHUP));

/// What the sleeping task waits for.
struct Alarm {
  WaitQueue queue;
  std::atomic<bool> rang{false};
};

class ItemObserver final : public PollObserver {
 public:
  explicit ItemObserver(Alarm& alarm) : alarm_(alarm) {}
  ItemObserver(const ItemObserver&) = delete;
  ItemObserver& operator=(const ItemObserver&) = delete;
  ~ItemObserver() override { PollSource::detach(*this); }

  bool on_event(std::uint32_t /*events*/) override {
    alarm_.rang.store(true);
    wake_all(alarm_.queue);
    return true;
  }

 private:
  Alarm& alarm_;
};

/// One observer an item; they are gone from their sources when it dies.
class Observers {
 public:
  static Result<Owned<Observers>> create(std::span<PollItem> items, Alarm& alarm) {
    Owned<Observers> all = TRY(make<Observers>());
    all->count_ = items.size();
    all->list_ = static_cast<ItemObserver*>(
        heap_allocate(std::max<std::size_t>(items.size(), 1) * sizeof(ItemObserver)));
    if (all->list_ == nullptr) {
      return fail(ENOMEM);
    }
    for (std::size_t i = 0; i < items.size(); ++i) {
      auto* const observer = new (&all->list_[i]) ItemObserver(alarm);
      observer->set_interest(items[i].events);
      PollSource* const source = items[i].file == nullptr ? nullptr : items[i].file->poll_source();
      if (source != nullptr) {
        source->attach(*observer);
      }
    }
    return all;
  }
  Observers() = default;
  Observers(const Observers&) = delete;
  Observers& operator=(const Observers&) = delete;
  ~Observers() {
    if (list_ != nullptr) {
      std::destroy_n(list_, count_);
      heap_free(list_, std::max<std::size_t>(count_, 1) * sizeof(ItemObserver));
    }
  }

 private:
  ItemObserver* list_ = nullptr;
  std::size_t count_ = 0;
};

/// Looks at every item by `state(file, events)`; how many have revents.
template <typename State>
std::size_t scan(std::span<PollItem> items, State state) {
  std::size_t ready = 0;
  for (PollItem& item : items) {
    if (item.file != nullptr) {
      item.revents = state(*item.file, item.events) & (item.events | kAlwaysPolled);
    }
    ready += item.revents != 0 ? 1 : 0;
  }
  return ready;
}

std::size_t scan_state(std::span<PollItem> items) {
  return scan(items, [](File& file, std::uint32_t /*events*/) { return file.poll_state(); });
}

std::size_t scan_watch(std::span<PollItem> items) {
  return scan(items, [](File& file, std::uint32_t events) {
    return file.poll_watch(events | kAlwaysPolled);
  });
}

bool expired(Nanoseconds deadline) {
  return deadline != kNoDeadline && deadline <= monotonic_now();
}

}  // namespace

Result<std::size_t> poll_files(std::span<PollItem> items, Nanoseconds deadline,
                               Interruptible interruptible) {
  std::size_t ready = scan_state(items);
  if (ready != 0 || expired(deadline)) {
    return ready;
  }
  Alarm alarm;
  const Owned<Observers> observers = TRY(Observers::create(items, alarm));
  for (;;) {
    ready = scan_watch(items);
    if (ready != 0) {
      return ready;
    }
    const Result<void> slept =
        wait(alarm.queue, [&alarm] { return alarm.rang.exchange(false); }, deadline, interruptible);
    if (!slept && to_int(slept.error()) != ETIMEDOUT) {
      return tl::unexpected(slept.error());
    }
    ready = scan_state(items);
    if (ready != 0 || !slept) {
      return ready;
    }
  }
}

}  // namespace runhl::kernel
