// SPDX-License-Identifier: Apache-2.0
// epoll_create, epoll_ctl, epoll_wait and their relatives.
#include "fs/objects/epoll.h"

#include <climits>

#include "host/events.h"
#include "runhl/abi/layout.h"
#include "syscalls/context.h"
#include "syscalls/handlers.h"
#include "syscalls/waiting.h"

namespace runhl::kernel {
namespace {

SyscallResult do_create(std::uint32_t flags) {
  if ((flags & ~std::uint32_t{EPOLL_CLOEXEC}) != 0) {
    return fail(EINVAL);
  }
  return install_file(TRY(Epoll::create(0)), flags);
}

SyscallResult do_wait(const SyscallArgs& args, Nanoseconds deadline) {
  constexpr auto kMaxEvents = static_cast<int>(INT_MAX / sizeof(epoll_event));
  const Ref<File> file = TRY(current_files().get(to_fd(args.a0)));
  const int max = to_fd(args.a2);
  if (max <= 0 || max > kMaxEvents) {
    return fail(EINVAL);
  }
  const UserAddress out = args.a1;
  const auto size = static_cast<std::uint64_t>(max) * sizeof(epoll_event);
  if (out >= abi::kUserEnd || size > abi::kUserEnd - out) {
    return fail(EFAULT);
  }
  Epoll* const epoll = file->as_epoll();
  if (epoll == nullptr) {
    return fail(EINVAL);
  }
  host_poll();  // a loop that never sleeps must hear of the monitor's streams, too
  return epoll->wait(out, static_cast<std::size_t>(max), deadline);
}

}  // namespace

SyscallResult sys_epoll_create(const SyscallArgs& args) {
  if (to_fd(args.a0) <= 0) {
    return fail(EINVAL);
  }
  return do_create(0);
}

SyscallResult sys_epoll_create1(const SyscallArgs& args) {
  return do_create(to_u32(args.a0));
}

SyscallResult sys_epoll_ctl(const SyscallArgs& args) {
  const int operation = to_fd(args.a1);
  epoll_event event{};
  if (operation != EPOLL_CTL_DEL) {
    event = TRY(UserIn<epoll_event>(args.a3).copy_in());
  }
  const Ref<File> file = TRY(current_files().get(to_fd(args.a0)));
  const int fd = to_fd(args.a2);
  const Ref<File> target = TRY(current_files().get(fd));
  if (target->poll_source() == nullptr) {
    return fail(EPERM);
  }
  Epoll* const epoll = file->as_epoll();
  const bool exclusive_later =
      operation == EPOLL_CTL_MOD && (event.events & std::uint32_t{EPOLLEXCLUSIVE}) != 0;
  if (epoll == nullptr || file == target || exclusive_later) {
    return fail(EINVAL);
  }
  switch (operation) {
    case EPOLL_CTL_ADD:
      TRY(epoll->add(target, fd, event));
      return 0;
    case EPOLL_CTL_MOD:
      TRY(epoll->modify(target, fd, event));
      return 0;
    case EPOLL_CTL_DEL:
      TRY(epoll->remove(target, fd));
      return 0;
    default:
      return fail(EINVAL);
  }
}

SyscallResult sys_epoll_wait(const SyscallArgs& args) {
  return do_wait(args, deadline_in_milliseconds(to_fd(args.a3)));
}

SyscallResult sys_epoll_pwait(const SyscallArgs& args) {
  TemporaryMask mask;
  TRY(mask.set(args.a4, args.a5));
  return do_wait(args, deadline_in_milliseconds(to_fd(args.a3)));
}

SyscallResult sys_epoll_pwait2(const SyscallArgs& args) {
  const Nanoseconds deadline = TRY(deadline_from_timespec(args.a3));
  TemporaryMask mask;
  TRY(mask.set(args.a4, args.a5));
  return do_wait(args, deadline);
}

}  // namespace runhl::kernel
