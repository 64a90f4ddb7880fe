// SPDX-License-Identifier: Apache-2.0
// System V message queues.
//
//   msgget ──► SysvQueue ──► messages in the order sent, each with a type
#pragma once

#include <linux/msg.h>

#include <boost/intrusive/list.hpp>
#include <cstdint>
#include <memory>

#include "core/user_memory.h"
#include "fs/pseudo/text_writer.h"
#include "fs/text.h"
#include "ipc/ipc_object.h"
#include "ipc/ipc_status.h"
#include "sched/wait.h"

namespace runhl::kernel {

struct SysvMessage : boost::intrusive::list_base_hook<> {
  std::int64_t type = 0;
  Text text;
};

struct SysvQueue final : IpcObject {
  SysvQueue() = default;
  SysvQueue(const SysvQueue&) = delete;
  SysvQueue& operator=(const SysvQueue&) = delete;
  ~SysvQueue() override;

  boost::intrusive::list<SysvMessage> messages;
  std::uint64_t bytes = 0, limit = 0;
  std::int64_t sent = 0, received = 0;              // times
  std::int32_t last_sender = 0, last_receiver = 0;  // process numbers
  WaitQueue arrivals, room;
};

Result<void> sysv_queues_init();  // at boot; ENOMEM

Result<std::int32_t> msg_get(std::int32_t key, std::uint32_t flags);
/// Sleeps until there is room, unless IPC_NOWAIT. EAGAIN, EIDRM, EINTR.
Result<void> msg_send(std::int32_t id, std::unique_ptr<SysvMessage> message, std::uint32_t flags);

struct MessageWish {
  std::int64_t type = 0;    // 0: the first; > 0: of this type; < 0: the lowest up to that
  std::uint64_t room = 0;   // bytes
  std::uint32_t flags = 0;  // IPC_NOWAIT, MSG_NOERROR, MSG_EXCEPT, MSG_COPY
};
/// The message, off the queue (MSG_COPY: a copy). E2BIG, ENOMSG, EIDRM, EINTR.
Result<std::unique_ptr<SysvMessage>> msg_receive(std::int32_t id, const MessageWish& wish);

Result<void> msg_remove(std::int32_t id);
/// EPERM: `limit` is more than msgmnb, for who may not.
Result<void> msg_set(std::int32_t id, const IpcOwner& owner, std::uint64_t limit);

/// The id; fills in `out`.
Result<std::int32_t> msg_status(std::int32_t number, StatBy by, msqid64_ds& out);
struct QueueTotals {
  std::int32_t queues, messages, highest_place;
  std::uint64_t bytes;
};
QueueTotals msg_totals();

/// /proc/sysvipc/msg.
void write_sysv_queues(TextWriter& out);

}  // namespace runhl::kernel
