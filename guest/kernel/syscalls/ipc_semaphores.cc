// SPDX-License-Identifier: Apache-2.0
// semget, semop, semtimedop, semctl.
#include <memory>
#include <new>
#include <span>

#include "core/settings.h"
#include "ipc/semaphore_set.h"
#include "syscalls/handlers.h"
#include "syscalls/ipc_control.h"
#include "syscalls/user_time.h"

namespace runhl::kernel {

SyscallResult sys_semget(const SyscallArgs& args) {
  return static_cast<std::uint64_t>(TRY(sem_get(to_fd(args.a0), to_fd(args.a1), to_u32(args.a2))));
}

namespace {

template <typename T>
Result<std::unique_ptr<T[]>> make_room(std::size_t count) {
  std::unique_ptr<T[]> room(new (std::nothrow) T[count]);
  return room == nullptr ? fail(ENOMEM) : Result<std::unique_ptr<T[]>>(std::move(room));
}

SyscallResult operate(const SyscallArgs& args, Nanoseconds deadline) {
  const std::int32_t id = to_fd(args.a0);
  const std::uint64_t count = to_u32(args.a2);
  if (count > unsigned_value_of(settings().sem_opm)) {
    return fail(E2BIG);
  }
  const auto operations = TRY(make_room<sembuf>(count));
  TRY(copy_from_user(operations.get(), args.a1, count * sizeof(sembuf)));
  if (count == 0 || id < 0) {
    return fail(EINVAL);
  }
  TRY(sem_operate(id, std::span(operations.get(), count), deadline));
  return 0;
}

}  // namespace

SyscallResult sys_semop(const SyscallArgs& args) {
  return operate(args, kNoDeadline);
}

SyscallResult sys_semtimedop(const SyscallArgs& args) {
  if (args.a3 == 0) {
    return operate(args, kNoDeadline);
  }
  return operate(args, deadline_after(TRY(read_user_time(args.a3))));
}

namespace {

SyscallResult tell_limits(std::int32_t command, UserAddress to) {
  const auto number = [](const Setting& value) { return static_cast<int>(value_of(value)); };
  const SetTotals totals = sem_totals();
  seminfo info{};
  info.semmni = number(settings().sem_mni);
  info.semmns = info.semmap = info.semmnu = number(settings().sem_mns);
  info.semmsl = number(settings().sem_msl);
  info.semopm = info.semume = number(settings().sem_opm);
  info.semvmx = SEMVMX;
  if (command == SEM_INFO) {
    info.semusz = totals.sets;
    info.semaem = totals.semaphores;
  } else {
    info.semusz = SEMUSZ;
    info.semaem = SEMAEM;
  }
  TRY(UserOut<seminfo>(to).copy_out(info));
  return static_cast<std::uint64_t>(totals.highest_place);
}

SyscallResult tell_all(std::int32_t id, UserAddress to) {
  const std::size_t count = TRY(sem_count(id, 0444));
  const auto values = TRY(make_room<std::uint16_t>(count));
  TRY(sem_get_all(id, std::span(values.get(), count)));
  TRY(copy_to_user(to, values.get(), count * sizeof(std::uint16_t)));
  return 0;
}

SyscallResult take_all(std::int32_t id, UserAddress from) {
  const std::size_t count = TRY(sem_count(id, 0222));
  const auto values = TRY(make_room<std::uint16_t>(count));
  TRY(copy_from_user(values.get(), from, count * sizeof(std::uint16_t)));
  TRY(sem_set_all(id, std::span(values.get(), count)));
  return 0;
}

SyscallResult ask(std::int32_t id, std::int32_t number, SemaphoreQuestion question) {
  return static_cast<std::uint64_t>(TRY(sem_ask(id, number, question)));
}

}  // namespace

SyscallResult sys_semctl(const SyscallArgs& args) {
  const std::int32_t id = to_fd(args.a0);
  const std::int32_t number = to_fd(args.a1);
  const std::int32_t command = to_fd(args.a2);
  if (id < 0) {
    return fail(EINVAL);
  }
  switch (command) {
    case IPC_INFO:
    case SEM_INFO:
      return tell_limits(command, args.a3);
    case SEM_STAT:
      return tell_ipc_status(sem_status, id, StatBy::Place, args.a3);
    case SEM_STAT_ANY:
      return tell_ipc_status(sem_status, id, StatBy::PlaceWhateverMode, args.a3);
    case IPC_STAT:
      return tell_ipc_status(sem_status, id, StatBy::Id, args.a3);
    case GETALL:
      return tell_all(id, args.a3);
    case SETALL:
      return take_all(id, args.a3);
    case GETVAL:
      return ask(id, number, SemaphoreQuestion::Value);
    case GETPID:
      return ask(id, number, SemaphoreQuestion::LastUser);
    case GETNCNT:
      return ask(id, number, SemaphoreQuestion::WaitersForMore);
    case GETZCNT:
      return ask(id, number, SemaphoreQuestion::WaitersForZero);
    case SETVAL:
      TRY(sem_set_value(id, number, to_fd(args.a3)));
      return 0;
    case IPC_SET: {
      const auto from = TRY(UserIn<semid64_ds>(args.a3).copy_in());
      TRY(sem_set_owner(id, ipc_owner(from.sem_perm)));
      return 0;
    }
    case IPC_RMID:
      TRY(sem_remove(id));
      return 0;
    default:
      return fail(EINVAL);
  }
}

}  // namespace runhl::kernel
