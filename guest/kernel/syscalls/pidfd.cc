// SPDX-License-Identifier: Apache-2.0
// pidfd_open, pidfd_send_signal, pidfd_getfd. clone makes pidfds too, waitid waits for them.
#include <linux/capability.h>

#include "core/linux_signal.h"
#include "core/user_memory.h"
#include "fs/objects/pid_file.h"
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
Result<Ref<PidFile>> pid_file_of(std::uint64_t fd) {
  const Ref<File> file = TRY(current_files().get_any(to_fd(fd)));
  PidFile* const pid_file = file->as_pid_file();
  return pid_file == nullptr ? fail(EBADF) : Result<Ref<PidFile>>(Ref<PidFile>(pid_file));
}

Result<Ref<Process>> find_leader(std::int32_t pid) {
  const ProcessTable::Guard family;
  if (Process* const process = family->find_process(pid)) {
    return Ref<Process>(process);
  }
  return fail(family->find_task(pid) != nullptr ? ENOENT : ESRCH);
}

Result<Ref<PidFile>> open_thread(std::int32_t tid, std::uint32_t flags) {
  Ref<Process> process;
  Ref<Pid> id;
  {
    const ProcessTable::Guard family;
    Task* const task = family->find_task(tid);
    process = task != nullptr ? task->process : family->find_process(tid);
    if (process == nullptr) {
      return fail(ESRCH);
    }
    id = task != nullptr ? task->id : process->id;
  }
  Ref<PidFile> file = TRY(make_ref<PidFile>(std::move(process), flags));
  file->name_thread(std::move(id));
  return file;
}

}  // namespace

SyscallResult sys_pidfd_open(const SyscallArgs& args) {
  const auto pid = static_cast<std::int32_t>(args.a0);
  const std::uint32_t flags = to_u32(args.a1);
  if ((flags & ~(kNonblock | PidFile::kThread)) != 0 || pid <= 0) {
    return fail(EINVAL);
  }
  if ((flags & PidFile::kThread) != 0) {
    return install_file(TRY(open_thread(pid, O_RDWR | flags)), O_CLOEXEC);
  }
  return install_file(TRY(make_ref<PidFile>(TRY(find_leader(pid)), O_RDWR | flags)), O_CLOEXEC);
}

namespace {

enum SignalScope : std::uint32_t {  // PIDFD_SIGNAL_*
  kOneThread = 1,
  kThreadGroup = 2,
  kProcessGroup = 4,
};

Result<SignalInfo> info_from(UserAddress from, std::int32_t number, const Pid& target) {
  if (from == 0) {
    return sent_by_caller(number, SI_USER);
  }
  const auto info = TRY(UserIn<SignalInfo>(from).copy_in());
  if (info.number != number) {
    return fail(EINVAL);
  }
  if (&target != current().id.get() && (info.code >= 0 || info.code == SI_TKILL)) {
    return fail(EPERM);  // only the kernel and kill say that
  }
  return info;
}

Result<void> send_in_scope(ProcessTable& family, const PidFile& target, std::uint32_t scope,
                           const SignalInfo& info) {
  Process& process = *target.process();
  const Pid& id = *target.id();
  if (scope == kProcessGroup) {
    return id.group == nullptr ? fail(ESRCH) : send_to_group(family, id.number, info);
  }
  const bool gone =
      target.names_first_thread() ? process.state == ProcessState::Reaped : id.task == nullptr;
  if (gone) {
    return fail(ESRCH);
  }
  if (info.number < 0 || info.number > kSignalCount) {
    return fail(EINVAL);
  }
  if (scope == kThreadGroup || (scope == 0 && !target.names_thread())) {
    return send_to_process(process, info);
  }
  // The first thread may have ended before the others: its signals go nowhere.
  return id.task != nullptr ? send_to_task(*id.task, info) : Result<void>{};
}

}  // namespace

SyscallResult sys_pidfd_send_signal(const SyscallArgs& args) {
  const auto number = static_cast<std::int32_t>(args.a1);
  const std::uint32_t scope = to_u32(args.a3);
  if ((scope & ~std::uint32_t{kOneThread | kThreadGroup | kProcessGroup}) != 0 ||
      (scope & (scope - 1)) != 0) {
    return fail(EINVAL);
  }
  const Ref<PidFile> target = TRY(pid_file_of(args.a0));
  const SignalInfo info = TRY(info_from(args.a2, number, *target->id()));
  const ProcessTable::Guard family;
  TRY(send_in_scope(*family, *target, scope, info));
  return 0;
}

SyscallResult sys_pidfd_getfd(const SyscallArgs& args) {
  if (to_u32(args.a2) != 0) {
    return fail(EINVAL);
  }
  const Ref<PidFile> pid_file = TRY(pid_file_of(args.a0));
  ProcessTarget target{.process = pid_file->process(), .task = nullptr};
  {
    const ProcessTable::Guard family;
    const bool of_process = pid_file->names_first_thread() && !target.process->tasks.empty();
    target.task = of_process ? &target.process->tasks.front() : pid_file->id()->task;
    if (target.task == nullptr) {
      return fail(ESRCH);
    }
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
