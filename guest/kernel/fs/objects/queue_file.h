// SPDX-License-Identifier: Apache-2.0
// The file system of POSIX message queues (mq_overview(7)): one flat directory, each file a queue.
// mq_open(2) opens its files whether it is mounted or not; where it is, open(2), unlink(2) and the
// like work on the same queues.
//
//   QueueRoot ──path operations──► a tmpfs's root, which keeps names, owners, modes, times
//       └── inode number ──► MessageQueue (ipc/message_queue.h) ◄── QueueFile, one an open
#pragma once

#include <boost/intrusive/set.hpp>
#include <cstdint>
#include <optional>
#include <string_view>

#include "fs/file.h"
#include "fs/node.h"
#include "fs/tmpfs/tmpfs.h"
#include "ipc/message_queue.h"
#include "sched/locks.h"

namespace runhl::kernel {

class QueueFile final : public File {
 public:
  QueueFile(Ref<Node> node, Ref<MessageQueue> queue, std::uint32_t flags, Mount& mount)
      : File(flags, &mount), node_(std::move(node)), queue_(std::move(queue)) {}

  /// Null: it is no queue's.
  static QueueFile* of(File& file);
  [[nodiscard]] MessageQueue& queue() const { return *queue_; }

  // A line of text about the queue.
  Result<std::size_t> read(IoBuffer& buffer) override;
  Result<std::size_t> write(IoBuffer& /*buffer*/) override { return fail(EINVAL); }
  Result<std::size_t> read_at(IoBuffer& buffer, std::uint64_t offset) override;
  Result<std::size_t> write_at(IoBuffer& /*buffer*/, std::uint64_t /*offset*/) override {
    return fail(EINVAL);
  }
  [[nodiscard]] bool has_positions() const override { return true; }
  Result<std::uint64_t> seek(std::int64_t offset, int whence) override;
  Result<abi::FileAttr> attributes() override { return node_->attributes(); }
  std::uint32_t poll_state() override { return queue_->poll_state(); }
  PollSource* poll_source() override { return &queue_->source(); }
  [[nodiscard]] Ref<Node> node() const override { return node_; }
  [[nodiscard]] std::uint64_t position() const override {
    return __atomic_load_n(&position_, __ATOMIC_RELAXED);
  }

 private:
  Ref<Node> node_;
  Ref<MessageQueue> queue_;
  Mutex position_lock_{LockRank::FilePosition};
  std::uint64_t position_ = 0;
};

class QueueRoot final : public Node {
 public:
  explicit QueueRoot(Ref<TmpfsNode> names) : names_(std::move(names)) {}
  QueueRoot(const QueueRoot&) = delete;
  QueueRoot& operator=(const QueueRoot&) = delete;
  ~QueueRoot() override;

  /// mq_open(2) and mq_unlink(2); the name has no slash.
  Result<Ref<File>> open_queue(std::string_view name, const OpenRequest& request,
                               const std::optional<QueueShape>& shape);
  Result<void> unlink_queue(std::string_view name);

  Result<abi::FileAttr> attributes() override { return names_->attributes(); }
  Result<EndOfDirectory> read_directory(std::uint64_t& cookie, DirSink& sink) override {
    return names_->read_directory(cookie, sink);
  }
  Result<abi::StatFsReply> statfs() override;
  Result<abi::FileAttr> walk(const PathSpec& at) override { return names_->walk(at); }
  Result<OpenedNode> open(const PathSpec& at, const OpenRequest& request) override;
  Result<std::size_t> read_link(const PathSpec& at, std::span<char> target) override {
    return names_->read_link(at, target);
  }
  Result<void> remove(const PathSpec& at, bool directory) override;
  Result<void> set_mode(const PathSpec& at, std::uint32_t mode) override {
    return names_->set_mode(at, mode);
  }
  Result<void> set_owner(const PathSpec& at, OwnerChange owner) override {
    return names_->set_owner(at, owner);
  }
  Result<void> set_times(const PathSpec& at, const std::array<abi::Timestamp, 2>& times) override {
    return names_->set_times(at, times);
  }
  [[nodiscard]] const void* filesystem() const override { return this; }

 private:
  struct Entry : boost::intrusive::set_base_hook<> {
    std::uint64_t inode = 0;
    Ref<MessageQueue> queue;
    friend bool operator<(const Entry& a, const Entry& b) { return a.inode < b.inode; }
  };
  struct InodeLess {
    bool operator()(std::uint64_t a, const Entry& b) const { return a < b.inode; }
    bool operator()(const Entry& a, std::uint64_t b) const { return a.inode < b; }
  };

  Result<OpenedNode> open_locked(const PathSpec& at, const OpenRequest& request,
                                 const std::optional<QueueShape>& shape);
  Result<OpenedNode> create_locked(const PathSpec& at, const OpenRequest& request,
                                   const std::optional<QueueShape>& shape);
  Result<OpenedNode> wrap(OpenedNode opened, Ref<MessageQueue> queue);

  Ref<TmpfsNode> names_;
  Mutex lock_{LockRank::FdTable};         // taken before that of names_
  boost::intrusive::set<Entry> entries_;  // guarded by lock_
};

/// The guest's one; made when it is first asked for.
Result<Ref<QueueRoot>> queue_root();
/// The calling process closed a descriptor: its wish to be told of messages ends.
void queue_descriptor_closed(File& file);

}  // namespace runhl::kernel
