// SPDX-License-Identifier: Apache-2.0
// msgget, msgsnd, msgrcv, msgctl.
#include <algorithm>
#include <memory>
#include <utility>

#include "core/settings.h"
#include "ipc/sysv_queue.h"
#include "mm/heap.h"
#include "syscalls/handlers.h"
#include "syscalls/ipc_control.h"

namespace runhl::kernel {

namespace {

// struct msgbuf: the type, then the text.
constexpr std::uint64_t kTextOffset = sizeof(std::int64_t);

}  // namespace

SyscallResult sys_msgget(const SyscallArgs& args) {
  return static_cast<std::uint64_t>(TRY(msg_get(to_fd(args.a0), to_u32(args.a1))));
}

SyscallResult sys_msgsnd(const SyscallArgs& args) {
  const std::int32_t id = to_fd(args.a0);
  const std::uint64_t size = args.a2;
  const auto type = TRY(UserIn<std::int64_t>(args.a1).copy_in());
  if (size > unsigned_value_of(settings().msgmax) || id < 0 || type < 1) {
    return fail(EINVAL);
  }
  std::unique_ptr<SysvMessage> message = TRY(make<SysvMessage>());
  message->type = type;
  if (size != 0) {
    message->text = TRY(Text::read(size, [&](std::span<char> to) -> Result<std::size_t> {
      TRY(copy_from_user(to.data(), args.a1 + kTextOffset, size));
      return size;
    }));
  }
  TRY(msg_send(id, std::move(message), to_u32(args.a3)));
  return 0;
}

SyscallResult sys_msgrcv(const SyscallArgs& args) {
  const std::int32_t id = to_fd(args.a0);
  const MessageWish wish{
      .type = static_cast<std::int64_t>(args.a3), .room = args.a2, .flags = to_u32(args.a4)};
  if (id < 0 || static_cast<std::int64_t>(wish.room) < 0) {
    return fail(EINVAL);
  }
  if ((wish.flags & MSG_COPY) != 0 &&
      ((wish.flags & MSG_EXCEPT) != 0 || (wish.flags & IPC_NOWAIT) == 0)) {
    return fail(EINVAL);
  }
  const std::unique_ptr<SysvMessage> message = TRY(msg_receive(id, wish));
  const std::size_t size = std::min<std::uint64_t>(message->text.view().size(), wish.room);
  TRY(UserOut<std::int64_t>(args.a1).copy_out(message->type));
  TRY(copy_to_user(args.a1 + kTextOffset, message->text.view().data(), size));
  return size;
}

namespace {

SyscallResult tell_limits(std::int32_t command, UserAddress to) {
  const QueueTotals totals = msg_totals();
  msginfo info{};
  info.msgmax = static_cast<int>(unsigned_value_of(settings().msgmax));
  info.msgmnb = static_cast<int>(unsigned_value_of(settings().msgmnb));
  info.msgmni = static_cast<int>(unsigned_value_of(settings().msgmni));
  info.msgssz = MSGSSZ;
  info.msgseg = static_cast<unsigned short>(MSGSEG);
  if (command == MSG_INFO) {
    info.msgpool = totals.queues;
    info.msgmap = totals.messages;
    info.msgtql = static_cast<int>(totals.bytes);
  } else {
    info.msgmap = MSGMAP;
    info.msgpool = MSGPOOL;
    info.msgtql = MSGTQL;
  }
  TRY(UserOut<msginfo>(to).copy_out(info));
  return static_cast<std::uint64_t>(totals.highest_place);
}

}  // namespace

SyscallResult sys_msgctl(const SyscallArgs& args) {
  const std::int32_t id = to_fd(args.a0);
  const std::int32_t command = to_fd(args.a1);
  if (id < 0 || command < 0) {
    return fail(EINVAL);
  }
  switch (command) {
    case IPC_INFO:
    case MSG_INFO:
      return tell_limits(command, args.a2);
    case MSG_STAT:
      return tell_ipc_status(msg_status, id, StatBy::Place, args.a2);
    case MSG_STAT_ANY:
      return tell_ipc_status(msg_status, id, StatBy::PlaceWhateverMode, args.a2);
    case IPC_STAT:
      return tell_ipc_status(msg_status, id, StatBy::Id, args.a2);
    case IPC_SET: {
      const auto from = TRY(UserIn<msqid64_ds>(args.a2).copy_in());
      TRY(msg_set(id, ipc_owner(from.msg_perm), from.msg_qbytes));
      return 0;
    }
    case IPC_RMID:
      TRY(msg_remove(id));
      return 0;
    default:
      return fail(EINVAL);
  }
}

}  // namespace runhl::kernel
