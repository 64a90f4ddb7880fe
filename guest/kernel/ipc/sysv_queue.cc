// SPDX-License-Identifier: Apache-2.0
#include "ipc/sysv_queue.h"

#include <linux/capability.h>

#include <algorithm>
#include <utility>

#include "core/settings.h"
#include "mm/heap.h"
#include "proc/restart.h"
#include "proc/task.h"

namespace runhl::kernel {
namespace {

constinit IpcTable* g_queues = nullptr;  // made at boot

SysvQueue& queue_of(IpcObject& object) {
  return static_cast<SysvQueue&>(object);
}

Result<Ref<SysvQueue>> find_queue(std::int32_t id, std::uint32_t access) {
  const SpinLock::Guard guard(g_queues->lock);
  SysvQueue& queue = queue_of(*TRY(g_queues->find(id)));
  TRY(check_ipc_access(queue, access));
  return Ref<SysvQueue>(&queue);
}

std::uint64_t default_limit() {
  return unsigned_value_of(settings().msgmnb);
}

/// Waits for what `attempt()` decides; a call that a signal interrupts is made again unless there
/// is a handler.
template <typename Attempt>
Result<void> wait_until_decided(WaitQueue& queue, Attempt&& attempt) {
  if (attempt()) {
    return {};
  }
  const Result<void> slept = wait(queue, attempt, kNoDeadline, Interruptible::Yes);
  return slept ? slept : fail(kRestartNoHandler);
}

}  // namespace

SysvQueue::~SysvQueue() {
  messages.clear_and_dispose([](SysvMessage* message) { delete message; });
}

Result<void> sysv_queues_init() {
  g_queues = TRY(make<IpcTable>()).release();
  return {};
}

Result<std::int32_t> msg_get(std::int32_t key, std::uint32_t flags) {
  const auto make = []() -> Result<Ref<SysvQueue>> {
    Ref<SysvQueue> queue = TRY(make_ref<SysvQueue>());
    queue->limit = default_limit();
    return queue;
  };
  return ipc_get(
      *g_queues, key, flags, value_of(settings().msgmni),
      [](const IpcObject&) { return Result<void>{}; }, make);
}

Result<void> msg_send(std::int32_t id, std::unique_ptr<SysvMessage> message, std::uint32_t flags) {
  const Ref<SysvQueue> queue = TRY(find_queue(id, 0222));
  Result<void> outcome;
  const auto attempt = [&] {
    const SpinLock::Guard guard(g_queues->lock);
    if (queue->removed) {
      outcome = fail(EIDRM);
      return true;
    }
    // Empty messages count as a byte each here.
    const bool fits = queue->bytes + message->text.view().size() <= queue->limit &&
                      queue->messages.size() + 1 <= queue->limit;
    if (!fits) {
      outcome = fail(EAGAIN);
      return (flags & IPC_NOWAIT) != 0;
    }
    queue->bytes += message->text.view().size();
    queue->messages.push_back(*message.release());
    queue->sent = ipc_time_now();
    queue->last_sender = ipc_caller();
    outcome = {};
    return true;
  };
  TRY(wait_until_decided(queue->room, attempt));
  if (outcome) {
    wake_all(queue->arrivals);
  }
  return outcome;
}

namespace {

/// With the table's lock. Null: none fits.
SysvMessage* choose(SysvQueue& queue, const MessageWish& wish) {
  if ((wish.flags & MSG_COPY) != 0) {  // by number in the queue
    const auto number = static_cast<std::uint64_t>(wish.type);
    if (wish.type < 0 || number >= queue.messages.size()) {
      return nullptr;
    }
    return &*std::next(queue.messages.begin(), wish.type);
  }
  SysvMessage* lowest = nullptr;
  for (SysvMessage& each : queue.messages) {
    if (wish.type == 0) {
      return &each;
    }
    if (wish.type > 0) {
      if ((each.type == wish.type) != ((wish.flags & MSG_EXCEPT) != 0)) {
        return &each;
      }
      continue;
    }
    const std::int64_t most = wish.type == INT64_MIN ? INT64_MAX : -wish.type;
    if (each.type <= most && (lowest == nullptr || each.type < lowest->type)) {
      lowest = &each;
    }
  }
  return lowest;
}

Result<SysvMessage*> copy_message(const SysvMessage& from) {
  auto copy = TRY(make<SysvMessage>());
  copy->type = from.type;
  copy->text = TRY(Text::copy(from.text.view()));
  return copy.release();
}

SysvMessage* take(SysvQueue& queue, SysvMessage& message) {
  queue.bytes -= message.text.view().size();
  queue.messages.erase(queue.messages.iterator_to(message));
  queue.received = ipc_time_now();
  queue.last_receiver = ipc_caller();
  return &message;
}

/// With the table's lock. The caller's from now on; ENOMSG: none yet.
Result<SysvMessage*> receive_locked(SysvQueue& queue, const MessageWish& wish) {
  if (queue.removed) {
    return fail(EIDRM);
  }
  SysvMessage* const message = choose(queue, wish);
  if (message == nullptr) {
    return fail(ENOMSG);
  }
  if (message->text.view().size() > wish.room && (wish.flags & MSG_NOERROR) == 0) {
    return fail(E2BIG);
  }
  return (wish.flags & MSG_COPY) != 0 ? copy_message(*message)
                                      : Result<SysvMessage*>(take(queue, *message));
}

}  // namespace

Result<std::unique_ptr<SysvMessage>> msg_receive(std::int32_t id, const MessageWish& wish) {
  const Ref<SysvQueue> queue = TRY(find_queue(id, 0444));
  Result<SysvMessage*> outcome = nullptr;
  const auto attempt = [&] {
    const SpinLock::Guard guard(g_queues->lock);
    outcome = receive_locked(*queue, wish);
    return outcome || to_int(outcome.error()) != ENOMSG || (wish.flags & IPC_NOWAIT) != 0;
  };
  TRY(wait_until_decided(queue->arrivals, attempt));
  if (outcome && (wish.flags & MSG_COPY) == 0) {
    wake_all(queue->room);
  }
  return std::unique_ptr<SysvMessage>(TRY(std::move(outcome)));
}

Result<void> msg_remove(std::int32_t id) {
  Ref<IpcObject> gone;
  const SpinLock::Guard guard(g_queues->lock);
  SysvQueue& queue = queue_of(*TRY(g_queues->find(id)));
  TRY(check_ipc_control(queue));
  gone = g_queues->remove(queue);
  wake_all(queue.arrivals);
  wake_all(queue.room);
  return {};
}

Result<void> msg_set(std::int32_t id, const IpcOwner& owner, std::uint64_t limit) {
  const SpinLock::Guard guard(g_queues->lock);
  SysvQueue& queue = queue_of(*TRY(g_queues->find(id)));
  TRY(check_ipc_control(queue));
  if (limit > default_limit() && !current().credentials.has(CAP_SYS_RESOURCE)) {
    return fail(EPERM);
  }
  set_ipc_owner(queue, owner);
  queue.limit = limit;
  wake_all(queue.arrivals);  // whoever may no longer read finds out when it tries
  wake_all(queue.room);
  return {};
}

Result<std::int32_t> msg_status(std::int32_t number, StatBy by, msqid64_ds& out) {
  const SpinLock::Guard guard(g_queues->lock);
  const SysvQueue& queue = queue_of(*TRY(find_for_status(*g_queues, number, by)));
  out = {};
  out.msg_perm = ipc_permissions(queue);
  out.msg_stime = queue.sent;
  out.msg_rtime = queue.received;
  out.msg_ctime = queue.changed;
  out.msg_cbytes = queue.bytes;
  out.msg_qnum = queue.messages.size();
  out.msg_qbytes = queue.limit;
  out.msg_lspid = queue.last_sender;
  out.msg_lrpid = queue.last_receiver;
  return queue.id();
}

QueueTotals msg_totals() {
  const SpinLock::Guard guard(g_queues->lock);
  QueueTotals totals{.queues = static_cast<std::int32_t>(g_queues->count()),
                     .messages = 0,
                     .highest_place = g_queues->highest_place(),
                     .bytes = 0};
  for (IpcObject& object : g_queues->objects()) {
    totals.messages += static_cast<std::int32_t>(queue_of(object).messages.size());
    totals.bytes += queue_of(object).bytes;
  }
  return totals;
}

void write_sysv_queues(TextWriter& out) {
  const SpinLock::Guard guard(g_queues->lock);
  for (IpcObject& object : g_queues->objects()) {
    const SysvQueue& each = queue_of(object);
    add_ipc_key(out, each);
    out.add("  ", Decimal{.value = each.bytes, .width = 10}, ' ',
            Decimal{.value = each.messages.size(), .width = 10}, ' ',
            Decimal{.value = static_cast<std::uint32_t>(each.last_sender), .width = 5}, ' ',
            Decimal{.value = static_cast<std::uint32_t>(each.last_receiver), .width = 5});
    add_ipc_owner(out, each);
    for (const std::int64_t time : {each.sent, each.received, each.changed}) {
      out.add(' ', Decimal{.value = static_cast<std::uint64_t>(time), .width = 10});
    }
    out.add('\n');
  }
}

}  // namespace runhl::kernel
