// SPDX-License-Identifier: Apache-2.0
// Sending signals to others.
#include <linux/capability.h>

#include "core/linux_signal.h"
#include "core/user_memory.h"
#include "proc/process.h"
#include "proc/process_table.h"
#include "proc/signals.h"
#include "syscalls/handlers.h"
#include "syscalls/sending.h"

namespace runhl::kernel {

namespace {

std::int32_t to_int(std::uint64_t argument) {
  return static_cast<std::int32_t>(argument);
}

}  // namespace

SignalInfo sent_by_caller(int number, int code) {
  const Task& task = current();
  SignalInfo info;
  info.number = number;
  info.code = code;
  info.sender = {task.process->pid, task.credentials.uid, 0};
  return info;
}

namespace {

Result<void> check_number(std::int32_t number) {
  return number < 0 || number > kSignalCount ? fail(EINVAL) : Result<void>{};
}

/// kill(2): by the ids, by the capability, and SIGCONT within a session.
Result<void> check_permission(const Task& target, int number) {
  const Task& self = current();
  const Credentials& from = self.credentials;
  const Credentials& to = target.credentials;
  const bool same_user =
      from.euid == to.suid || from.euid == to.uid || from.uid == to.suid || from.uid == to.uid;
  const bool continues =
      number == SIGCONT && target.process->group->session == self.process->group->session;
  if (target.process == self.process || same_user || from.has(CAP_KILL) || continues) {
    return {};
  }
  return fail(EPERM);
}

}  // namespace

Result<void> send_to_process(Process& process, const SignalInfo& info) {
  if (!process.tasks.empty()) {
    TRY(check_permission(process.tasks.front(), info.number));
  }
  return info.number == 0 ? Result<void>{} : signal_send_locked(process, info, Origin::Guest);
}

Result<void> send_to_task(Task& task, const SignalInfo& info) {
  TRY(check_permission(task, info.number));
  return info.number == 0 ? Result<void>{} : signal_send_task_locked(task, info);
}

Result<void> send_to_group(ProcessTable& family, std::int32_t number, const SignalInfo& info) {
  ProcessGroup* const group =
      number == 0 ? current().process->group.get() : family.find_group(number);
  if (group == nullptr) {
    return fail(ESRCH);
  }
  bool sent = false;
  Result<void> last = fail(ESRCH);
  for (Process& member : group->members) {
    last = send_to_process(member, info);
    sent |= last.has_value();
  }
  return sent ? Result<void>{} : last;
}

namespace {

/// Everybody but init and the caller.
Result<void> send_to_all(ProcessTable& family, const SignalInfo& info) {
  Result<void> outcome = fail(ESRCH);
  for (Pid& id : family.numbers()) {
    Process* const process = id.process;
    if (process == nullptr || process == container_init() || process == current().process) {
      continue;
    }
    const Result<void> sent = send_to_process(*process, info);
    if (sent || kernel::to_int(sent.error()) != EPERM) {
      outcome = sent;
    } else if (!outcome && kernel::to_int(outcome.error()) == ESRCH) {
      outcome = {};  // Linux: somebody was there
    }
  }
  return outcome;
}

SyscallResult done(const Result<void>& result) {
  if (!result) {
    return tl::unexpected(result.error());
  }
  return 0;
}

}  // namespace

SyscallResult sys_kill(const SyscallArgs& args) {
  const std::int32_t pid = to_int(args.a0);
  const std::int32_t number = to_int(args.a1);
  TRY(check_number(number));
  if (pid == INT32_MIN) {
    return fail(ESRCH);
  }
  const SignalInfo info = sent_by_caller(number, SI_USER);
  const ProcessTable::Guard family;
  if (pid == -1) {
    return done(send_to_all(*family, info));
  }
  if (pid <= 0) {
    return done(send_to_group(*family, -pid, info));
  }
  Process* process = family->find_process(pid);
  if (process == nullptr) {
    Task* const task = family->find_task(pid);  // any thread names its process
    process = task == nullptr ? nullptr : task->process;
  }
  return process == nullptr ? SyscallResult(fail(ESRCH)) : done(send_to_process(*process, info));
}

namespace {

/// `process` 0: whichever the thread belongs to.
SyscallResult send_to_thread(std::int32_t process, std::int32_t tid, const SignalInfo& info) {
  const ProcessTable::Guard family;
  Task* const task = family->find_task(tid);
  if (task == nullptr || (process != 0 && task->process->pid != process)) {
    return fail(ESRCH);
  }
  return done(send_to_task(*task, info));
}

}  // namespace

SyscallResult sys_tkill(const SyscallArgs& args) {
  const std::int32_t tid = to_int(args.a0);
  if (tid <= 0) {
    return fail(EINVAL);
  }
  TRY(check_number(to_int(args.a1)));
  return send_to_thread(0, tid, sent_by_caller(to_int(args.a1), SI_TKILL));
}

SyscallResult sys_tgkill(const SyscallArgs& args) {
  const std::int32_t process = to_int(args.a0);
  const std::int32_t tid = to_int(args.a1);
  if (process <= 0 || tid <= 0) {
    return fail(EINVAL);
  }
  TRY(check_number(to_int(args.a2)));
  return send_to_thread(process, tid, sent_by_caller(to_int(args.a2), SI_TKILL));
}

namespace {

/// What a program says about a signal that it queues; it may not pretend to be kill or the kernel.
Result<SignalInfo> copy_info(UserAddress from, std::int32_t number, std::int32_t target) {
  auto info = TRY(UserIn<SignalInfo>(from).copy_in());
  info.number = number;
  if ((info.code >= 0 || info.code == SI_TKILL) && target != current().process->pid) {
    return fail(EPERM);
  }
  return info;
}

}  // namespace

SyscallResult sys_rt_sigqueueinfo(const SyscallArgs& args) {
  const std::int32_t pid = to_int(args.a0);
  const SignalInfo info = TRY(copy_info(args.a2, to_int(args.a1), pid));
  TRY(check_number(info.number));
  const ProcessTable::Guard family;
  Process* const process = family->find_process(pid);
  return process == nullptr ? SyscallResult(fail(ESRCH)) : done(send_to_process(*process, info));
}

SyscallResult sys_rt_tgsigqueueinfo(const SyscallArgs& args) {
  const std::int32_t process = to_int(args.a0);
  const std::int32_t tid = to_int(args.a1);
  if (process <= 0 || tid <= 0) {
    return fail(EINVAL);
  }
  const SignalInfo info = TRY(copy_info(args.a3, to_int(args.a2), process));
  TRY(check_number(info.number));
  return send_to_thread(process, tid, info);
}

}  // namespace runhl::kernel
