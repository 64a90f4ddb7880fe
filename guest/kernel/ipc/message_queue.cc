// SPDX-License-Identifier: Apache-2.0
#include "ipc/message_queue.h"

#include <linux/capability.h>
#include <poll.h>
#include <sys/resource.h>

#include <algorithm>
#include <boost/intrusive/set.hpp>
#include <csignal>
#include <utility>

#include "core/first_use.h"
#include "core/settings.h"
#include "proc/process_table.h"
#include "proc/signals.h"
#include "proc/task.h"

namespace runhl::kernel {
namespace {

// Linux include/linux/ipc_namespace.h: for who may exceed the settings.
constexpr std::int64_t kHardMost = 65'536;
constexpr std::int64_t kHardSize = 16 * 1024 * 1024;
// What a message, and a priority in use, cost beside the bytes: struct msg_msg and
// struct posix_msg_tree_node of Linux on x86-64.
constexpr std::uint64_t kMessageCost = 48, kPriorityCost = 48;

struct UserBytes : boost::intrusive::set_base_hook<> {
  std::uint32_t uid = 0;
  std::uint64_t bytes = 0;
  friend bool operator<(const UserBytes& a, const UserBytes& b) { return a.uid < b.uid; }
};

/// How many queues there are, and what each user's cost.
struct QueueTotals {
  boost::intrusive::set<UserBytes> users;
  std::int64_t queues = 0;
};

constinit SpinLock g_queue_totals_lock{LockRank::Pipe};
constinit FirstUse<QueueTotals> g_queue_totals;  // guarded by g_queue_totals_lock

Result<std::uint64_t> cost_of(const QueueShape& shape) {
  const bool may_exceed = current().credentials.has(CAP_SYS_RESOURCE);
  const std::int64_t most = may_exceed ? kHardMost : value_of(settings().mq_msg_max);
  const std::int64_t size = may_exceed ? kHardSize : value_of(settings().mq_msgsize_max);
  if (shape.most <= 0 || shape.size <= 0 || shape.most > most || shape.size > size) {
    return fail(EINVAL);
  }
  const auto count = static_cast<std::uint64_t>(shape.most);
  return count * (static_cast<std::uint64_t>(shape.size) + kMessageCost) +
         std::min<std::uint64_t>(count, kQueuePriorities) * kPriorityCost;
}

Result<void> charge(std::uint32_t uid, std::uint64_t bytes) {
  const std::uint64_t limit = current().process->rlimits[RLIMIT_MSGQUEUE].soft;
  const bool may_exceed = current().credentials.has(CAP_SYS_RESOURCE);
  Owned<UserBytes> fresh = TRY(make<UserBytes>());  // not under the lock
  fresh->uid = uid;
  const SpinLock::Guard guard(g_queue_totals_lock);
  QueueTotals& all = *g_queue_totals;
  if (!may_exceed && all.queues >= value_of(settings().mq_queues_max)) {
    return fail(ENOSPC);
  }
  const auto [user, is_new] = all.users.insert(*fresh);
  if (is_new) {
    (void)fresh.release();  // the set's for good
  }
  if (bytes > limit || user->bytes > limit - bytes) {
    return fail(EMFILE);
  }
  user->bytes += bytes;
  ++all.queues;
  return {};
}

void uncharge(std::uint32_t uid, std::uint64_t bytes) {
  UserBytes key;
  key.uid = uid;
  const SpinLock::Guard guard(g_queue_totals_lock);
  QueueTotals& all = *g_queue_totals;
  const auto user = all.users.find(key);
  if (user != all.users.end()) {
    user->bytes -= bytes;
  }
  --all.queues;
}

/// Blanks behind the number, as Linux's "%-5d".
void add_padded(TextWriter& out, std::string_view name, std::int64_t value, std::uint32_t width) {
  TextWriter number;
  number.add(value);
  out.add(name, Padded{.text = number.view(), .width = width});
}

}  // namespace

Result<Owned<QueueMessage>> QueueMessage::copy_in(UserAddress from, std::uint64_t size,
                                                  std::uint32_t priority) {
  Owned<QueueMessage> message = TRY(make<QueueMessage>());
  message->priority = priority;
  if (size != 0) {
    message->text = TRY(Text::read(size, [&](std::span<char> to) -> Result<std::size_t> {
      TRY(copy_from_user(to.data(), from, size));
      return size;
    }));
  }
  return message;
}

Result<Ref<MessageQueue>> MessageQueue::create(const QueueShape& shape) {
  const std::uint64_t cost = TRY(cost_of(shape));
  Ref<MessageQueue> queue = TRY(make_ref<MessageQueue>(shape));
  const std::uint32_t uid = current().credentials.uid;
  TRY(charge(uid, cost));
  queue->charged_to_ = uid;
  queue->charged_ = cost;
  return queue;
}

MessageQueue::~MessageQueue() {
  messages_.clear_and_dispose([](QueueMessage* message) { delete message; });
  if (charged_ != 0) {
    uncharge(charged_to_, charged_);
  }
}

void MessageQueue::insert_locked(QueueMessage& message) {
  auto at = messages_.end();
  while (at != messages_.begin() && std::prev(at)->priority < message.priority) {
    --at;
  }
  messages_.insert(at, message);
  bytes_ += message.text.view().size();
}

QueueMessage* MessageQueue::take_locked() {
  if (messages_.empty()) {
    return nullptr;
  }
  QueueMessage& first = messages_.front();
  messages_.pop_front();
  bytes_ -= first.text.view().size();
  return &first;
}

/// Among those that wait, and off again unless it was served; then it counts as done, whatever
/// ended the sleep.
Result<void> MessageQueue::sleep(Sleepers& among, Sleeper& sleeper, WaitQueue& on,
                                 const QueueWait& how) {
  const Result<void> slept =
      wait(on, [&sleeper] { return sleeper.served.load(); }, how.deadline, Interruptible::Yes);
  const SpinLock::Guard guard(lock_);
  if (sleeper.served.load()) {
    return {};
  }
  among.erase(among.iterator_to(sleeper));
  return slept;
}

Result<void> MessageQueue::send(Owned<QueueMessage> message, const QueueWait& how) {
  Sleeper sleeper;
  Due due;
  {
    const SpinLock::Guard guard(lock_);
    if (full_locked()) {
      if (!how.at_all) {
        return fail(EAGAIN);
      }
      sleeper.message = message.get();
      senders_.push_back(sleeper);
    } else if (!receivers_.empty()) {
      Sleeper& receiver = receivers_.front();
      receivers_.pop_front();
      receiver.message = message.release();
      receiver.served.store(true);
    } else {
      insert_locked(*message.release());
      due = take_notice_locked();
    }
  }
  if (sleeper.message != nullptr) {
    TRY(sleep(senders_, sleeper, room_, how));
    (void)message.release();  // the receiver that made room put it into the queue
  } else {
    wake_all(arrivals_);
    give_notice(due);
  }
  source_.notify(POLLIN | POLLRDNORM);
  return {};
}

Result<Owned<QueueMessage>> MessageQueue::receive(const QueueWait& how) {
  Sleeper sleeper;
  Owned<QueueMessage> message;
  {
    const SpinLock::Guard guard(lock_);
    message.reset(take_locked());
    if (message == nullptr) {
      if (!how.at_all) {
        return fail(EAGAIN);
      }
      receivers_.push_back(sleeper);
    } else if (!senders_.empty()) {
      Sleeper& sender = senders_.front();
      senders_.pop_front();
      insert_locked(*sender.message);
      sender.served.store(true);
    }
  }
  if (message == nullptr) {
    TRY(sleep(receivers_, sleeper, arrivals_, how));
    return Owned<QueueMessage>(sleeper.message);
  }
  wake_all(room_);
  source_.notify(POLLOUT | POLLWRNORM);
  return message;
}

// ---- notices -----------------------------------------------------------------------------------

Result<void> MessageQueue::ask_for_notice(const QueueNotice& notice) {
  const SpinLock::Guard guard(lock_);
  if (notice_owner_ != 0) {
    return fail(EBUSY);
  }
  notice_owner_ = current().process->pid;
  notice_ = notice;
  return {};
}

void MessageQueue::drop_notice() {
  const SpinLock::Guard guard(lock_);
  if (notice_owner_ == current().process->pid) {
    notice_owner_ = 0;
  }
}

/// Once the first message has come into an empty queue.
MessageQueue::Due MessageQueue::take_notice_locked() {
  if (messages_.size() != 1) {
    return {};
  }
  return {.owner = std::exchange(notice_owner_, 0), .notice = notice_};
}

void MessageQueue::give_notice(const Due& due) {
  if (due.owner == 0 || due.notice.how != SIGEV_SIGNAL || due.notice.signal == 0) {
    return;
  }
  SignalInfo info;
  info.number = due.notice.signal;
  info.code = SI_MESGQ;
  info.sender.pid = current().process->pid;
  info.sender.uid = current().credentials.uid;
  info.sender.value = due.notice.value;
  if (const Ref<Process> owner = find_process(due.owner)) {
    (void)signal_send(*owner, info, Origin::Guest);  // lost only if its queue is full
  }
}

// ---- what others see ---------------------------------------------------------------------------

std::uint64_t MessageQueue::count() {
  const SpinLock::Guard guard(lock_);
  return messages_.size();
}

std::uint32_t MessageQueue::poll_state() {
  const SpinLock::Guard guard(lock_);
  return (messages_.empty() ? 0U : std::uint32_t{POLLIN | POLLRDNORM}) |
         (full_locked() ? 0U : std::uint32_t{POLLOUT | POLLWRNORM});
}

void MessageQueue::describe(TextWriter& out) {
  std::uint64_t bytes = 0;
  std::int32_t owner = 0;
  QueueNotice notice;
  {
    const SpinLock::Guard guard(lock_);
    bytes = bytes_;
    owner = notice_owner_;
    notice = owner != 0 ? notice_ : QueueNotice{};
  }
  const bool signals = notice.how == SIGEV_SIGNAL;
  add_padded(out, "QSIZE:", static_cast<std::int64_t>(bytes), 10);
  add_padded(out, " NOTIFY:", notice.how, 5);
  add_padded(out, " SIGNO:", signals ? notice.signal : 0, 5);
  add_padded(out, " NOTIFY_PID:", owner, 6);
  out.add("\n");
}

}  // namespace runhl::kernel
