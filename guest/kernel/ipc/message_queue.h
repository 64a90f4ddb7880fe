// SPDX-License-Identifier: Apache-2.0
// POSIX message queues: messages by priority, then in the order sent. Who waits is served in the
// order of its coming: a sender gives its message to the first receiver that waits, a receiver
// takes the message of the first sender that waits for room into the queue.
//
//   Ref<MessageQueue> queue = TRY(MessageQueue::create({.most = 10, .size = 8192}));
//   TRY(queue->send(TRY(QueueMessage::copy_in(address, size, priority)), wait));
//   const Owned<QueueMessage> message = TRY(queue->receive(wait));
//
// fs/objects/queue_file.h has their files.
#pragma once

#include <atomic>
#include <boost/intrusive/list.hpp>
#include <cstdint>

#include "core/user_memory.h"
#include "fs/poll_source.h"
#include "fs/pseudo/text_writer.h"
#include "fs/text.h"
#include "mm/heap.h"
#include "mm/ref.h"
#include "sched/wait.h"

namespace runhl::kernel {

inline constexpr std::uint32_t kQueuePriorities = 32'768;  // MQ_PRIO_MAX

struct QueueMessage : boost::intrusive::list_base_hook<> {
  static Result<Owned<QueueMessage>> copy_in(UserAddress from, std::uint64_t size,
                                             std::uint32_t priority);
  std::uint32_t priority = 0;
  Text text;
};

/// mq_maxmsg and mq_msgsize of struct mq_attr.
struct QueueShape {
  std::int64_t most = 0, size = 0;
};

struct QueueWait {
  bool at_all = true;  // else EAGAIN
  Nanoseconds deadline = kNoDeadline;
};

/// Of mq_notify(2).
struct QueueNotice {
  std::int32_t how = 0;  // SIGEV_NONE, SIGEV_SIGNAL
  std::int32_t signal = 0;
  std::uint64_t value = 0;
};

class MessageQueue : public RefCounted<MessageQueue> {
 public:
  /// EINVAL: more than the limits allow. EMFILE: RLIMIT_MSGQUEUE. ENOSPC: too many queues.
  static Result<Ref<MessageQueue>> create(const QueueShape& shape);
  explicit MessageQueue(const QueueShape& shape) : shape_(shape) {}
  MessageQueue(const MessageQueue&) = delete;
  MessageQueue& operator=(const MessageQueue&) = delete;
  ~MessageQueue();

  /// EAGAIN, ETIMEDOUT, EINTR.
  Result<void> send(Owned<QueueMessage> message, const QueueWait& wait);
  Result<Owned<QueueMessage>> receive(const QueueWait& wait);
  /// The calling process wants to be told once. EBUSY: another one does, or it itself.
  Result<void> ask_for_notice(const QueueNotice& notice);
  /// Of the calling process, if it had asked.
  void drop_notice();

  [[nodiscard]] const QueueShape& shape() const { return shape_; }
  [[nodiscard]] std::uint64_t count();
  std::uint32_t poll_state();
  PollSource& source() { return source_; }
  /// What its file says.
  void describe(TextWriter& out);

 private:
  /// A task that sleeps, on its stack. A receiver brings no message.
  struct Sleeper : boost::intrusive::list_base_hook<> {
    QueueMessage* message = nullptr;
    std::atomic<bool> served{false};
  };
  using Messages = boost::intrusive::list<QueueMessage>;
  using Sleepers = boost::intrusive::list<Sleeper>;

  void insert_locked(QueueMessage& message);
  QueueMessage* take_locked();
  [[nodiscard]] bool full_locked() const {
    return messages_.size() >= static_cast<std::uint64_t>(shape_.most);
  }
  Result<void> sleep(Sleepers& among, Sleeper& sleeper, WaitQueue& on, const QueueWait& how);
  /// The notice that is due, taken off; `owner` 0: none.
  struct Due {
    std::int32_t owner = 0;
    QueueNotice notice;
  };
  Due take_notice_locked();
  static void give_notice(const Due& due);

  const QueueShape shape_;
  std::uint32_t charged_to_ = 0;  // uid
  std::uint64_t charged_ = 0;
  SpinLock lock_{LockRank::Pipe};
  Messages messages_;  // these are guarded by lock_
  Sleepers receivers_, senders_;
  std::uint64_t bytes_ = 0;
  std::int32_t notice_owner_ = 0;  // process number; 0: nobody
  QueueNotice notice_;
  WaitQueue arrivals_, room_;
  PollSource source_;
};

}  // namespace runhl::kernel
