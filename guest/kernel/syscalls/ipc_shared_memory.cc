// SPDX-License-Identifier: Apache-2.0
// shmget, shmat, shmdt, shmctl.
#include "core/settings.h"
#include "ipc/shared_segment.h"
#include "syscalls/handlers.h"
#include "syscalls/ipc_control.h"

namespace runhl::kernel {

SyscallResult sys_shmget(const SyscallArgs& args) {
  return static_cast<std::uint64_t>(TRY(shm_get(to_fd(args.a0), args.a1, to_u32(args.a2))));
}

SyscallResult sys_shmat(const SyscallArgs& args) {
  return shm_attach(to_fd(args.a0), args.a1, to_u32(args.a2));
}

SyscallResult sys_shmdt(const SyscallArgs& args) {
  TRY(current_mm().detach_segment(args.a0));
  return 0;
}

namespace {

SyscallResult tell_limits(UserAddress to) {
  shminfo64 info{};
  info.shmmax = unsigned_value_of(settings().shmmax);
  info.shmmin = 1;
  info.shmmni = info.shmseg = unsigned_value_of(settings().shmmni);
  info.shmall = unsigned_value_of(settings().shmall);
  TRY(UserOut<shminfo64>(to).copy_out(info));
  return static_cast<std::uint64_t>(shm_totals().highest_place);
}

SyscallResult tell_use(UserAddress to) {
  const SegmentTotals totals = shm_totals();
  shm_info info{};
  info.used_ids = totals.count;
  info.shm_tot = info.shm_rss = totals.pages;
  TRY(UserOut<shm_info>(to).copy_out(info));
  return static_cast<std::uint64_t>(totals.highest_place);
}

}  // namespace

SyscallResult sys_shmctl(const SyscallArgs& args) {
  const std::int32_t id = to_fd(args.a0);
  const std::int32_t command = to_fd(args.a1);
  if (id < 0 || command < 0) {
    return fail(EINVAL);
  }
  switch (command) {
    case IPC_INFO:
      return tell_limits(args.a2);
    case SHM_INFO:
      return tell_use(args.a2);
    case SHM_STAT:
      return tell_ipc_status(shm_status, id, StatBy::Place, args.a2);
    case SHM_STAT_ANY:
      return tell_ipc_status(shm_status, id, StatBy::PlaceWhateverMode, args.a2);
    case IPC_STAT:
      return tell_ipc_status(shm_status, id, StatBy::Id, args.a2);
    case IPC_SET: {
      const auto from = TRY(UserIn<shmid64_ds>(args.a2).copy_in());
      TRY(shm_set_owner(id, ipc_owner(from.shm_perm)));
      return 0;
    }
    case IPC_RMID:
      TRY(shm_remove(id));
      return 0;
    case SHM_LOCK:
    case SHM_UNLOCK:
      TRY(shm_lock(id, command == SHM_LOCK));
      return 0;
    default:
      return fail(EINVAL);
  }
}

}  // namespace runhl::kernel
