// SPDX-License-Identifier: Apache-2.0
// epoll(7): files that are watched, and those of them that have news.
//
//   Epoll ──owns──► EpollItem ◄──knows── watched File     an item dies with either of them
//     │                 └── observes the file's PollSource; an event puts it on `ready_`
//     └── is a File and a PollSource itself: may be polled and watched by another Epoll
//
// Items, their links and the ready list are guarded by the readiness lock (fs/poll_source.h), which
// is never held while a file is asked for its state.
#pragma once

#include <sys/epoll.h>

#include <boost/intrusive/list.hpp>
#include <boost/intrusive/set.hpp>
#include <cstdint>

#include "core/user_memory.h"
#include "fs/file.h"

namespace runhl::kernel {

class Epoll;

class EpollItem final : public RefCounted<EpollItem>, public PollObserver, public FileWatcher {
 public:
  EpollItem(Epoll& epoll, File& file, int fd, const epoll_event& event);
  EpollItem(const EpollItem&) = delete;
  EpollItem& operator=(const EpollItem&) = delete;
  ~EpollItem() override = default;  // detached when it left its epoll

  bool on_event(std::uint32_t events) override;
  void on_file_closed() override;

 private:
  friend class Epoll;
  /// What the tree is ordered by: descriptors of one file are watched apart.
  struct Key {
    const File* file;
    int fd;
    friend bool operator<(const Key& a, const Key& b) {
      return a.file != b.file ? a.file < b.file : a.fd < b.fd;
    }
  };
  friend bool operator<(const EpollItem& a, const EpollItem& b) { return a.key_ < b.key_; }

  Epoll* epoll_;  // null: removed
  File* file_;    // alive while the item is in the tree
  Key key_;
  std::uint32_t events_;  // EPOLL*, with the modes; 0 events: a spent EPOLLONESHOT
  std::uint64_t data_;
  boost::intrusive::set_member_hook<> tree_hook_;
  boost::intrusive::list_member_hook<> ready_hook_;
  boost::intrusive::list_member_hook<> nested_hook_;  // of items that watch an Epoll
};

class Epoll final : public File {
 public:
  static Result<Ref<Epoll>> create(std::uint32_t flags);
  explicit Epoll(std::uint32_t flags) : File(flags) {}
  Epoll(const Epoll&) = delete;
  Epoll& operator=(const Epoll&) = delete;
  ~Epoll() override;

  /// EPERM: cannot be polled. EEXIST, ENOENT, EINVAL and ELOOP as epoll_ctl(2) has them.
  Result<void> add(const Ref<File>& file, int fd, const epoll_event& event);
  Result<void> modify(const Ref<File>& file, int fd, const epoll_event& event);
  Result<void> remove(const Ref<File>& file, int fd);
  /// Writes up to `max` events to `out`: how many, 0 after `deadline`. EINTR, EFAULT.
  Result<std::size_t> wait(UserAddress out, std::size_t max, Nanoseconds deadline);

  Result<std::size_t> read(IoBuffer& /*buffer*/) override { return fail(EINVAL); }
  Result<std::size_t> write(IoBuffer& /*buffer*/) override { return fail(EINVAL); }
  Result<abi::FileAttr> attributes() override;
  /// Linux refuses so what it does not know of an epoll; there is no network to poll busily.
  Result<std::uint64_t> ioctl(std::uint32_t /*command*/, UserAddress /*argument*/) override {
    return fail(EINVAL);
  }
  std::uint32_t poll_state() override;
  /// As Linux's: no error and no effect.
  Result<std::uint64_t> seek(std::int64_t /*offset*/, int /*whence*/) override { return 0; }
  PollSource* poll_source() override { return &source_; }
  [[nodiscard]] std::string_view anonymous_name() const override { return "[eventpoll]"; }
  Epoll* as_epoll() override { return this; }

 private:
  friend class EpollItem;
  using TreeHook = boost::intrusive::member_hook<EpollItem, boost::intrusive::set_member_hook<>,
                                                 &EpollItem::tree_hook_>;
  using ReadyHook = boost::intrusive::member_hook<EpollItem, boost::intrusive::list_member_hook<>,
                                                  &EpollItem::ready_hook_>;
  using NestedHook = boost::intrusive::member_hook<EpollItem, boost::intrusive::list_member_hook<>,
                                                   &EpollItem::nested_hook_>;
  using Tree = boost::intrusive::set<EpollItem, TreeHook>;
  using ReadyList =
      boost::intrusive::list<EpollItem, ReadyHook, boost::intrusive::constant_time_size<false>>;
  using NestedList =
      boost::intrusive::list<EpollItem, NestedHook, boost::intrusive::constant_time_size<false>>;

  /// An item taken off the ready list, with a reference to its file while that is being asked.
  struct Candidate {
    Ref<EpollItem> item;
    Ref<File> file;
    std::uint32_t events = 0;
    std::uint64_t data = 0;
  };
  /// False: the list is empty.
  static bool take_candidate(ReadyList& from, Candidate& candidate);
  Result<std::size_t> collect(UserAddress out, std::size_t max);
  void settle(Candidate& candidate);
  void requeue(ReadyList& rest);
  void add_ready_locked(EpollItem& item);
  void drop_locked(EpollItem& item);
  void look(EpollItem& item, File& file, std::uint32_t events);
  EpollItem* find_locked(const File& file, int fd);
  /// How many more epolls lie behind this one; beyond kMaxNests where `goal` is among them.
  unsigned depth_below(const Epoll& goal, unsigned depth, unsigned& visits) const;
  /// How many watch this one in a row.
  unsigned depth_above(unsigned depth, unsigned& visits) const;
  [[nodiscard]] Result<void> check_nesting(const Epoll& watched) const;

  Tree items_;
  ReadyList ready_;
  NestedList nested_;  // items of ours that watch an Epoll
  WaitQueue waiters_;
  PollSource source_;
};

}  // namespace runhl::kernel
