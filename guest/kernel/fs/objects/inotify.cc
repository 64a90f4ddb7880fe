// SPDX-License-Identifier: Apache-2.0
#include "fs/objects/inotify.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "core/first_use.h"
#include "fs/anonymous_attr.h"
#include "mm/heap.h"

namespace runhl::kernel {

static_assert(sizeof(WatchEvent) == sizeof(inotify_event));

namespace {

// fs.inotify.max_queued_events, max_user_watches.
constexpr std::size_t kMaxEvents = 16'384;
constexpr int kMaxWatches = 65'536;
constexpr std::uint32_t kModes = IN_ONESHOT | IN_EXCL_UNLINK;

std::size_t padded(std::size_t name_size) {
  // The name ends with a NUL, and the next event is aligned.
  constexpr std::size_t kAlign = sizeof(WatchEvent);
  return name_size == 0 ? 0 : (name_size + 1 + kAlign - 1) / kAlign * kAlign;
}

struct Watch : boost::intrusive::set_base_hook<> {
  InodeKey key;
  Inotify* owner = nullptr;
  int number = 0;
  std::uint32_t mask = 0;
  friend bool operator<(const Watch& a, const Watch& b) {
    const auto order = a.key <=> b.key;
    return order != 0 ? order < 0 : a.owner < b.owner;
  }
};

constinit SpinLock g_watches_lock{LockRank::Pipe};
std::atomic<std::uint32_t> g_watch_count{0};
std::atomic<std::uint32_t> g_move_cookie{0};

}  // namespace

/// All watches, by inode. The lock is held for each call.
class Watches {
 public:
  Watch* find(const InodeKey& key, const Inotify& owner) {
    for (auto at = first_of(key); at != set_.end() && at->key == key; ++at) {
      if (at->owner == &owner) {
        return &*at;
      }
    }
    return nullptr;
  }
  Watch* find(const Inotify& owner, int number) {
    const auto at = std::find_if(set_.begin(), set_.end(), [&](const Watch& watch) {
      return watch.owner == &owner && watch.number == number;
    });
    return at == set_.end() ? nullptr : &*at;
  }
  void insert(Watch& watch) {
    set_.insert(watch);
    ++watch.owner->watch_count_;
    g_watch_count.fetch_add(1);
  }
  /// Its owner learns of the end of it.
  void remove(Watch& watch) {
    tell(watch, {.watch = watch.number, .mask = IN_IGNORED}, {});
    erase(watch);
  }
  void remove_all(const Inotify& owner) {
    for (auto at = set_.begin(); at != set_.end();) {
      Watch& watch = *at++;
      if (watch.owner == &owner) {
        erase(watch);
      }
    }
  }
  void event(const InodeKey& key, const FileEvent& event, std::string_view name) {
    for (auto at = first_of(key); at != set_.end() && at->key == key;) {
      Watch& watch = *at++;
      if ((event.mask & watch.mask & IN_ALL_EVENTS) == 0) {
        continue;
      }
      const std::uint32_t directory = event.place.is_directory ? std::uint32_t{IN_ISDIR} : 0U;
      tell(watch, {.watch = watch.number, .mask = event.mask | directory, .cookie = event.cookie},
           name);
      if ((watch.mask & IN_ONESHOT) != 0) {
        remove(watch);
      }
    }
  }
  /// The object is gone for good, and so are the watches on it.
  void end(const InodeKey& key) {
    for (auto at = first_of(key); at != set_.end() && at->key == key;) {
      remove(*at++);
    }
  }

 private:
  struct KeyLess {
    bool operator()(const InodeKey& a, const Watch& b) const { return a < b.key; }
    bool operator()(const Watch& a, const InodeKey& b) const { return a.key < b; }
  };
  using Set = boost::intrusive::set<Watch>;
  Set::iterator first_of(const InodeKey& key) { return set_.lower_bound(key, KeyLess{}); }
  void erase(Watch& watch) {
    set_.erase(set_.iterator_to(watch));
    --watch.owner->watch_count_;
    g_watch_count.fetch_sub(1);
    delete &watch;
  }
  static void tell(const Watch& watch, const WatchEvent& head, std::string_view name) {
    watch.owner->queue_locked(head, name);
  }
  Set set_;
};

namespace {

constinit FirstUse<Watches> g_watches;  // guarded by g_watches_lock

}  // namespace

bool file_watches_exist() {
  return g_watch_count.load(std::memory_order_relaxed) != 0;
}

std::uint32_t next_move_cookie() {
  return g_move_cookie.fetch_add(1) + 1;
}

void tell_watches(const FileEvent& event) {
  const SpinLock::Guard guard(g_watches_lock);
  if (event.to != FileEvent::To::Object && event.place.has_parent) {
    g_watches->event(event.place.parent, event, event.place.name.view());
  }
  if (event.to != FileEvent::To::Parent) {
    g_watches->event(event.place.object, event, {});
  }
  if ((event.mask & IN_DELETE_SELF) != 0) {
    g_watches->end(event.place.object);
  }
}

Ref<WatchedPlace> watched_place(Node& base, const PathSpec& at) {
  const Result<abi::FileAttr> attr = base.walk(at);
  Result<Ref<WatchedPlace>> place = make_ref<WatchedPlace>();
  if (!attr || !place) {
    return nullptr;
  }
  WatchedPlace& result = **place;
  result.object = inode_key(*attr);
  result.is_directory = S_ISDIR(attr->mode);
  if (at.path.empty()) {
    return *place;  // a mount's root, or a file by itself: no directory is known
  }
  const std::size_t slash = at.path.rfind('/');
  PathSpec above = at;
  above.path = slash == std::string_view::npos ? std::string_view{} : at.path.substr(0, slash);
  const Result<abi::FileAttr> parent = base.walk(above);
  Result<Text> name =
      Text::copy(slash == std::string_view::npos ? at.path : at.path.substr(slash + 1));
  if (parent && name) {
    result.parent = inode_key(*parent);
    result.name = std::move(*name);
    result.has_parent = true;
  }
  return *place;
}

void tell_change(Node& base, const PathSpec& at, std::uint32_t mask, FileEvent::To to) {
  if (!file_watches_exist()) {
    return;
  }
  if (const Ref<WatchedPlace> place = watched_place(base, at)) {
    tell_watches({.mask = mask, .place = *place, .to = to});
  }
}

void tell_file_event(File& file, std::uint32_t mask) {
  if (const Ref<WatchedPlace>& place = file.watched_place()) {
    tell_watches({.mask = mask, .place = *place});
    return;
  }
  const Ref<Node> node = file.node();
  const Result<abi::FileAttr> attr = node == nullptr ? fail(ENOENT) : node->attributes();
  if (attr) {
    WatchedPlace place;
    place.object = inode_key(*attr);
    place.is_directory = S_ISDIR(attr->mode);
    tell_watches({.mask = mask, .place = place});
  }
}

// ---- one queue ---------------------------------------------------------------------------------

Inotify::~Inotify() {
  const SpinLock::Guard guard(g_watches_lock);
  g_watches->remove_all(*this);
  events_.clear_and_dispose([](Event* event) { delete event; });
}

void Inotify::queue_locked(const WatchEvent& head, std::string_view name) {
  if (!events_.empty()) {
    const Event& last = events_.back();
    const bool same = last.head.watch == head.watch && last.head.mask == head.mask &&
                      last.head.cookie == head.cookie && last.name.view() == name;
    if (same || last.head.mask == IN_Q_OVERFLOW) {
      return;
    }
  }
  Result<Owned<Event>> event = make<Event>();
  if (!event) {
    return;  // lost: there is no memory to tell of it
  }
  (*event)->head = head;
  Result<Text> copy = Text::copy(name);
  if (events_.size() >= kMaxEvents || !copy) {
    (*event)->head = {.watch = -1, .mask = IN_Q_OVERFLOW};
  } else {
    (*event)->name = std::move(*copy);
    (*event)->head.length = static_cast<std::uint32_t>(padded(name.size()));
  }
  event_bytes_ += sizeof(WatchEvent) + (*event)->head.length;
  events_.push_back(*event->release());
  wake_all(readers_);
  source_.notify(POLLIN | POLLRDNORM);
}

Result<int> Inotify::add_watch(const InodeKey& key, std::uint32_t mask) {
  Owned<Watch> fresh = TRY(make<Watch>());
  const std::uint32_t wanted = mask & (IN_ALL_EVENTS | kModes);
  const SpinLock::Guard guard(g_watches_lock);
  if (Watch* const watch = g_watches->find(key, *this)) {
    if ((mask & IN_MASK_CREATE) != 0) {
      return fail(EEXIST);
    }
    watch->mask = (mask & IN_MASK_ADD) != 0 ? watch->mask | wanted : wanted;
    return watch->number;
  }
  if (watch_count_ >= kMaxWatches) {
    return fail(ENOSPC);
  }
  fresh->key = key;
  fresh->owner = this;
  fresh->number = ++last_number_;
  fresh->mask = wanted;
  g_watches->insert(*fresh);
  return fresh.release()->number;
}

Result<void> Inotify::remove_watch(int number) {
  const SpinLock::Guard guard(g_watches_lock);
  Watch* const watch = g_watches->find(*this, number);
  if (watch == nullptr) {
    return fail(EINVAL);
  }
  g_watches->remove(*watch);
  return {};
}

Result<std::size_t> Inotify::read(IoBuffer& buffer) {
  std::size_t done = 0;
  for (;;) {
    Owned<Event> event;
    {
      const SpinLock::Guard guard(g_watches_lock);
      if (!events_.empty()) {
        const std::size_t size = sizeof(WatchEvent) + events_.front().head.length;
        if (size > buffer.remaining()) {
          return done != 0 ? Result<std::size_t>(done) : fail(EINVAL);
        }
        event.reset(&events_.front());
        events_.pop_front();
        event_bytes_ -= size;
      }
    }
    if (event != nullptr) {
      done += TRY(buffer.put(&event->head, sizeof(WatchEvent)));
      const std::string_view name = event->name.view();
      if (event->head.length != 0) {
        done += TRY(buffer.put(name.data(), name.size()));
        done += TRY(buffer.put_zeros(event->head.length - name.size()));
      }
      continue;
    }
    if (done != 0) {
      return done;
    }
    if (nonblocking()) {
      return fail(EAGAIN);
    }
    TRY(wait(readers_, [this] { return poll_state() != 0; }, kNoDeadline, Interruptible::Yes));
  }
}

Result<abi::FileAttr> Inotify::attributes() {
  return anonymous_attr();
}

Result<std::uint64_t> Inotify::ioctl(std::uint32_t command, UserAddress argument) {
  if (command != FIONREAD) {
    return fail(ENOTTY);
  }
  int bytes = 0;
  {
    const SpinLock::Guard guard(g_watches_lock);
    bytes = static_cast<int>(event_bytes_);
  }
  TRY(UserOut<int>(argument).copy_out(bytes));
  return 0;
}

std::uint32_t Inotify::poll_state() {
  const SpinLock::Guard guard(g_watches_lock);
  return events_.empty() ? 0U : std::uint32_t{POLLIN | POLLRDNORM};
}

}  // namespace runhl::kernel
