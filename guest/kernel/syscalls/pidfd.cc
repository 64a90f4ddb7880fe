// SPDX-License-Identifier: Apache-2.0
// pidfd_open, pidfd_send_signal, pidfd_getfd. clone makes pidfds too, waitid waits for them.
#include <linux/capability.h>

#include "core/linux_signal.h"
#include "core/user_memory.h"
#include "fs/pid_file.h"
#include "fs/proc/process_files.h"
#include "fs/proc/process_view.h"
#include "proc/process_table.h"
#include "syscalls/context.h"
#include "syscalls/handlers.h"
#include "syscalls/sending.h"

namespace runhl::kernel {

namespace {

constexpr std::uint32_t kNonblock = O_NONBLOCK;  // PIDFD_NONBLOCK

/// EBADF: it is no pidfd.
Result<Ref<Process>> process_of_descriptor(std::uint64_t fd) {
  const Ref<File> file = TRY(current_files().get_any(to_fd(fd)));
  PidFile* const pid_file = file->as_pid_file();
  return pid_file == nullptr ? fail(EBADF) : Result<Ref<Process>>(pid_file->process());
}

Result<Ref<Process>> find_leader(std::int32_t pid) {
  const ProcessTable::Guard family;
  if (Process* const process = family->find_process(pid)) {
    return Ref<Process>(process);
  }
  return fail(family->find_task(pid) != nullptr ? ENOENT : ESRCH);
}

}  // namespace

SyscallResult sys_pidfd_open(const SyscallArgs& args) {
  const auto pid = static_cast<std::int32_t>(args.a0);
  const std::uint32_t flags = to_u32(args.a1);
  if ((flags & ~kNonblock) != 0 || pid <= 0) {
    return fail(EINVAL);
  }
  return install_file(TRY(make_ref<PidFile>(TRY(find_leader(pid)), O_RDWR | flags)), O_CLOEXEC);
}

namespace {

enum SignalScope : std::uint32_t {  // PIDFD_SIGNAL_*
  kOneThread = 1,
  kThreadGroup = 2,
  kProcessGroup = 4,
};

Result<SignalInfo> info_from(UserAddress from, std::int32_t number, const Process& target) {
  if (from == 0) {
    return sent_by_caller(number, SI_USER);
  }
  const auto info = TRY(UserIn<SignalInfo>(from).copy_in());
  if (info.number != number) {
    return fail(EINVAL);
  }
  if (&target != current().process && (info.code >= 0 || info.code == SI_TKILL)) {
    return fail(EPERM);  // only the kernel and kill say that
  }
  return info;
}

Result<void> send_in_scope(ProcessTable& family, Process& process, std::uint32_t scope,
                           const SignalInfo& info) {
  if (scope == kProcessGroup) {
    return process.id->group == nullptr ? fail(ESRCH) : send_to_group(family, process.pid, info);
  }
  if (process.state == ProcessState::Reaped) {
    return fail(ESRCH);
  }
  if (info.number < 0 || info.number > kSignalCount) {
    return fail(EINVAL);
  }
  if (scope == kOneThread && process.id->task != nullptr) {
    return send_to_task(*process.id->task, info);
  }
  return send_to_process(process, info);
}

}  // namespace

SyscallResult sys_pidfd_send_signal(const SyscallArgs& args) {
  const auto number = static_cast<std::int32_t>(args.a1);
  const std::uint32_t scope = to_u32(args.a3);
  if ((scope & ~std::uint32_t{kOneThread | kThreadGroup | kProcessGroup}) != 0 ||
      (scope & (scope - 1)) != 0) {
    return fail(EINVAL);
  }
  const Ref<Process> process = TRY(process_of_descriptor(args.a0));
  const SignalInfo info = TRY(info_from(args.a2, number, *process));
  const ProcessTable::Guard family;
  TRY(send_in_scope(*family, *process, scope, info));
  return 0;
}

SyscallResult sys_pidfd_getfd(const SyscallArgs& args) {
  if (to_u32(args.a2) != 0) {
    return fail(EINVAL);
  }
  ProcessTarget target{.process = TRY(process_of_descriptor(args.a0)), .task = nullptr};
  {
    const ProcessTable::Guard family;
    if (target.process->tasks.empty()) {
      return fail(ESRCH);
    }
    target.task = &target.process->tasks.front();
  }
  if (!may_inspect(target)) {
    return fail(EPERM);
  }
  const Ref<FdTable> files = files_of(target);
  if (files == nullptr) {
    return fail(ESRCH);
  }
  return install_file(TRY(files->get_any(to_fd(args.a1))), O_CLOEXEC);
}

}  // namespace runhl::kernel
