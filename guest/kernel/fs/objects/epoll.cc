// SPDX-License-Identifier: Apache-2.0
#include "fs/objects/epoll.h"

#include <poll.h>

#include <algorithm>

#include "fs/anonymous_attr.h"
#include "fs/poll.h"

namespace runhl::kernel {
namespace {

static_assert(EPOLLIN == POLLIN && EPOLLOUT == POLLOUT && EPOLLERR == POLLERR &&
              EPOLLHUP == POLLHUP && EPOLLPRI == POLLPRI);

// Linux fs/eventpoll.c.
constexpr std::uint32_t kModes =
    EPOLLWAKEUP | EPOLLONESHOT | std::uint32_t{EPOLLET} | EPOLLEXCLUSIVE;
constexpr std::uint32_t kExclusiveMay = EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLWAKEUP |
                                        std::uint32_t{EPOLLET} | EPOLLEXCLUSIVE;
constexpr unsigned kMaxNests = 4;
/// Epolls looked at for one EPOLL_CTL_ADD; Linux bounds the paths of a wake-up instead.
constexpr unsigned kMaxVisits = 4096;

std::uint32_t reported(std::uint32_t events) {
  return events & ~kModes;
}

}  // namespace

EpollItem::EpollItem(Epoll& epoll, File& file, int fd, const epoll_event& event)
    : epoll_(&epoll),
      file_(&file),
      key_{.file = &file, .fd = fd},
      events_(event.events | kAlwaysPolled),
      data_(event.data.u64) {
  set_interest(reported(events_),
               (event.events & EPOLLEXCLUSIVE) != 0 ? Sharing::Exclusive : Sharing::All);
}

bool EpollItem::on_event(std::uint32_t events) {
  // Of a spent EPOLLONESHOT nothing is reported, errors neither.
  if (epoll_ == nullptr || (events & reported(events_)) == 0) {
    return false;
  }
  epoll_->add_ready_locked(*this);
  return true;
}

void EpollItem::on_file_closed() {
  if (epoll_ != nullptr) {
    epoll_->drop_locked(*this);
  }
}

Result<Ref<Epoll>> Epoll::create(std::uint32_t flags) {
  return make_ref<Epoll>(flags | O_RDWR);
}

Epoll::~Epoll() {
  const SpinLock::Guard guard(readiness_lock());
  while (!items_.empty()) {
    EpollItem& item = *items_.begin();
    item.file_->remove_watcher(item);
    drop_locked(item);
  }
}

/// Takes the item out of everything but its file's list, and gives up the tree's reference.
void Epoll::drop_locked(EpollItem& item) {
  items_.erase(items_.iterator_to(item));
  if (item.ready_hook_.is_linked()) {
    ready_.erase(ready_.iterator_to(item));
  }
  if (item.nested_hook_.is_linked()) {
    nested_.erase(nested_.iterator_to(item));
  }
  PollSource::detach_locked(item);
  item.epoll_ = nullptr;
  item.file_ = nullptr;
  intrusive_ptr_release(&item);
}

void Epoll::add_ready_locked(EpollItem& item) {
  if (!item.ready_hook_.is_linked()) {
    ready_.push_back(item);
  }
  wake_one(waiters_);
  source_.notify_locked(POLLIN | POLLRDNORM);
}

EpollItem* Epoll::find_locked(const File& file, int fd) {
  struct KeyLess {
    bool operator()(const EpollItem::Key& a, const EpollItem& b) const { return a < b.key_; }
    bool operator()(const EpollItem& a, const EpollItem::Key& b) const { return a.key_ < b; }
  };
  const auto at = items_.find(EpollItem::Key{.file = &file, .fd = fd}, KeyLess{});
  return at == items_.end() ? nullptr : &*at;
}

// ---- nesting -----------------------------------------------------------------------------------

unsigned Epoll::depth_below(const Epoll& goal, unsigned depth, unsigned& visits) const {
  unsigned deepest = 0;
  for (const EpollItem& item : nested_) {
    const Epoll& next = *item.file_->as_epoll();
    if (&next == &goal || depth > kMaxNests || ++visits > kMaxVisits) {
      return kMaxNests + 1;
    }
    deepest = std::max(deepest, next.depth_below(goal, depth + 1, visits) + 1);
    if (deepest > kMaxNests) {
      break;
    }
  }
  return deepest;
}

unsigned Epoll::depth_above(unsigned depth, unsigned& visits) const {
  unsigned highest = 0;
  for (const FileWatcher& watcher : watchers()) {
    // Only items of epolls watch files.
    const Epoll* const above = static_cast<const EpollItem&>(watcher).epoll_;
    if (depth > kMaxNests || ++visits > kMaxVisits) {
      return kMaxNests + 1;
    }
    highest = std::max(highest, above->depth_above(depth + 1, visits) + 1);
  }
  return highest;
}

Result<void> Epoll::check_nesting(const Epoll& watched) const {
  unsigned visits = 0;
  const unsigned below = watched.depth_below(*this, 0, visits);
  if (below > kMaxNests || below + 1 + depth_above(0, visits) > kMaxNests) {
    return fail(visits > kMaxVisits ? EINVAL : ELOOP);
  }
  return {};
}

// ---- epoll_ctl ---------------------------------------------------------------------------------

Result<void> Epoll::add(const Ref<File>& file, int fd, const epoll_event& event) {
  PollSource* const source = file->poll_source();
  if (source == nullptr) {
    return fail(EPERM);
  }
  Epoll* const nested = file->as_epoll();
  if ((event.events & EPOLLEXCLUSIVE) != 0 &&
      (nested != nullptr || (event.events & ~kExclusiveMay) != 0)) {
    return fail(EINVAL);
  }
  const Ref<EpollItem> item = TRY(make_ref<EpollItem>(*this, *file, fd, event));
  {
    const SpinLock::Guard guard(readiness_lock());
    if (nested != nullptr) {
      TRY(check_nesting(*nested));
    }
    if (find_locked(*file, fd) != nullptr) {
      return fail(EEXIST);
    }
    items_.insert(*item);
    intrusive_ptr_add_ref(item.get());  // the tree's
    file->add_watcher(*item);
    if (nested != nullptr) {
      nested_.push_back(*item);
    }
    source->attach_locked(*item);
  }
  look(*item, *file, item->events_);
  return {};
}

Result<void> Epoll::modify(const Ref<File>& file, int fd, const epoll_event& event) {
  if (file->poll_source() == nullptr) {
    return fail(EPERM);
  }
  Ref<EpollItem> item;
  {
    const SpinLock::Guard guard(readiness_lock());
    item = find_locked(*file, fd);
    if (item == nullptr) {
      return fail(ENOENT);
    }
    if (((item->events_ | event.events) & EPOLLEXCLUSIVE) != 0) {
      return fail(EINVAL);
    }
    item->events_ = event.events | kAlwaysPolled;
    item->data_ = event.data.u64;
    item->set_interest(reported(item->events_));
  }
  look(*item, *file, event.events | kAlwaysPolled);
  return {};
}

Result<void> Epoll::remove(const Ref<File>& file, int fd) {
  if (file->poll_source() == nullptr) {
    return fail(EPERM);
  }
  const SpinLock::Guard guard(readiness_lock());
  EpollItem* const item = find_locked(*file, fd);
  if (item == nullptr) {
    return fail(ENOENT);
  }
  file->remove_watcher(*item);
  drop_locked(*item);
  return {};
}

/// An event may have come before anybody observed.
void Epoll::look(EpollItem& item, File& file, std::uint32_t events) {
  std::uint32_t state = file.poll_state() & reported(events);
  if (state == 0) {
    state = file.poll_watch(reported(events)) & reported(events);
  }
  if (state != 0) {
    const SpinLock::Guard guard(readiness_lock());
    (void)item.on_event(state);
  }
}

// ---- epoll_wait --------------------------------------------------------------------------------

bool Epoll::take_candidate(ReadyList& from, Candidate& candidate) {
  candidate = {};
  const SpinLock::Guard guard(readiness_lock());
  while (!from.empty()) {
    EpollItem& item = from.front();
    from.pop_front();
    candidate.file = CountedObject::try_reference(item.file_);
    if (candidate.file != nullptr) {  // else it is being closed, and the item with it
      candidate.item = &item;
      candidate.events = item.events_;
      candidate.data = item.data_;
      return true;
    }
  }
  return false;
}

/// After its event was reported.
void Epoll::settle(Candidate& candidate) {
  const SpinLock::Guard guard(readiness_lock());
  EpollItem& item = *candidate.item;
  if (item.epoll_ == nullptr) {
    return;
  }
  if ((item.events_ & EPOLLONESHOT) != 0) {
    item.events_ &= kModes;
    item.set_interest(0);
  } else if ((item.events_ & std::uint32_t{EPOLLET}) == 0 && !item.ready_hook_.is_linked()) {
    ready_.push_back(item);  // level: looked at again by the next wait
  }
}

/// What was not reached comes first next time; the next waiter may take it now.
void Epoll::requeue(ReadyList& rest) {
  const SpinLock::Guard guard(readiness_lock());
  ready_.splice(ready_.begin(), rest);
  if (!ready_.empty()) {
    wake_one(waiters_);
  }
}

Result<std::size_t> Epoll::collect(UserAddress out, std::size_t max) {
  ReadyList scan;
  {
    const SpinLock::Guard guard(readiness_lock());
    scan.swap(ready_);
  }
  std::size_t count = 0;
  Candidate candidate;
  while (count < max && take_candidate(scan, candidate)) {
    const std::uint32_t wanted = reported(candidate.events);
    const std::uint32_t state = candidate.file->poll_state() & wanted;
    if (state == 0) {
      (void)candidate.file->poll_watch(wanted);  // on_event() tells of what came meanwhile
      continue;
    }
    epoll_event event{};
    event.events = state;
    event.data.u64 = candidate.data;
    if (!copy_to_user(out + count * sizeof(event), &event, sizeof(event))) {
      {
        const SpinLock::Guard guard(readiness_lock());
        if (candidate.item->epoll_ != nullptr && !candidate.item->ready_hook_.is_linked()) {
          scan.push_front(*candidate.item);
        }
      }
      requeue(scan);
      return count != 0 ? Result<std::size_t>(count) : fail(EFAULT);
    }
    ++count;
    settle(candidate);
  }
  requeue(scan);
  return count;
}

Result<std::size_t> Epoll::wait(UserAddress out, std::size_t max, Nanoseconds deadline) {
  for (;;) {
    const std::size_t count = TRY(collect(out, max));
    if (count != 0) {
      return count;
    }
    const auto any_ready = [this] {
      const SpinLock::Guard guard(readiness_lock());
      return !ready_.empty();
    };
    const Result<void> slept = kernel::wait(waiters_, any_ready, deadline, Interruptible::Yes);
    if (!slept) {
      return to_int(slept.error()) == ETIMEDOUT ? Result<std::size_t>(0)
                                                : tl::unexpected(slept.error());
    }
  }
}

Result<abi::FileAttr> Epoll::attributes() {
  return anonymous_attr();
}

/// Readable while one of the ready ones really is; the others are forgotten.
std::uint32_t Epoll::poll_state() {
  ReadyList scan;
  {
    const SpinLock::Guard guard(readiness_lock());
    scan.swap(ready_);
  }
  std::uint32_t state = 0;
  Candidate candidate;
  while (state == 0 && take_candidate(scan, candidate)) {
    const std::uint32_t wanted = reported(candidate.events);
    if ((candidate.file->poll_state() & wanted) == 0) {
      (void)candidate.file->poll_watch(wanted);
      continue;
    }
    state = POLLIN | POLLRDNORM;
    const SpinLock::Guard guard(readiness_lock());
    if (candidate.item->epoll_ != nullptr && !candidate.item->ready_hook_.is_linked()) {
      scan.push_front(*candidate.item);
    }
  }
  requeue(scan);
  return state;
}

}  // namespace runhl::kernel
