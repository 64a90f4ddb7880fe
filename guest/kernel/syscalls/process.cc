// SPDX-License-Identifier: Apache-2.0
// Making processes, waiting for them, ending.
#include "proc/process.h"

#include <linux/capability.h>
#include <linux/sched.h>
#include <linux/wait.h>
#include <sys/resource.h>

#include "core/linux_signal.h"
#include "core/user_memory.h"
#include "fs/fd_table.h"
#include "fs/objects/pid_file.h"
#include "host/clock.h"
#include "proc/clone.h"
#include "proc/process_table.h"
#include "proc/shared_parts.h"
#include "proc/task_signals.h"
#include "proc/thread.h"
#include "proc/wait_child.h"
#include "syscalls/handlers.h"

namespace runhl::kernel {

namespace {

constexpr std::uint64_t kExitSignalMask = 0xff;  // CSIGNAL
constexpr std::int32_t kSigchld = SIGCHLD;

SyscallResult cloned(const CloneRequest& request) {
  return static_cast<std::uint64_t>(TRY(clone_task(request)));
}

}  // namespace

SyscallResult sys_fork(const SyscallArgs&) {
  CloneRequest request;
  request.exit_signal = kSigchld;
  return cloned(request);
}

SyscallResult sys_vfork(const SyscallArgs&) {
  CloneRequest request;
  request.flags = CLONE_VM | CLONE_VFORK;
  request.exit_signal = kSigchld;
  return cloned(request);
}

SyscallResult sys_clone(const SyscallArgs& args) {
  CloneRequest request;
  request.flags = static_cast<std::uint32_t>(args.a0) & ~kExitSignalMask;
  request.exit_signal = static_cast<std::int32_t>(args.a0 & kExitSignalMask);
  request.stack = args.a1;
  request.parent_tid = args.a2;
  request.pidfd = args.a2;
  request.child_tid = args.a3;
  request.tls = args.a4;
  // The old call has one argument for both, and the flag's number for something else long ago.
  const std::uint64_t taken = CLONE_PIDFD | CLONE_PARENT_SETTID;
  if ((request.flags & taken) == taken ||
      ((request.flags & CLONE_PIDFD) != 0 && (request.flags & CLONE_DETACHED) != 0)) {
    return fail(EINVAL);
  }
  return cloned(request);
}

namespace {

/// struct clone_args, whatever its size: what this kernel does not know must be zero.
Result<clone_args> copy_clone_args(UserAddress from, std::uint64_t size) {
  if (size > kPageSize) {
    return fail(E2BIG);
  }
  if (size < CLONE_ARGS_SIZE_VER0) {
    return fail(EINVAL);
  }
  clone_args args{};
  TRY(copy_from_user(&args, from, std::min(size, sizeof(args))));
  for (std::uint64_t at = sizeof(args); at < size; ++at) {
    if (TRY(UserIn<std::uint8_t>(from + at).copy_in()) != 0) {
      return fail(E2BIG);
    }
  }
  return args;
}

Result<void> check_clone_args(const clone_args& args) {
  constexpr std::uint64_t kKnown = 0xffff'ffffULL | CLONE_CLEAR_SIGHAND | CLONE_INTO_CGROUP;
  const bool bad_stack =
      (args.stack == 0) != (args.stack_size == 0) || args.stack + args.stack_size < args.stack;
  const bool signal_of_thread =
      (args.flags & (CLONE_THREAD | CLONE_PARENT)) != 0 && args.exit_signal != 0;
  if ((args.flags & ~kKnown) != 0 || (args.flags & (CLONE_DETACHED | kExitSignalMask)) != 0 ||
      args.exit_signal > kSignalCount || bad_stack || signal_of_thread || args.set_tid_size != 0) {
    return fail(EINVAL);
  }
  return {};
}

}  // namespace

SyscallResult sys_clone3(const SyscallArgs& args) {
  const clone_args from = TRY(copy_clone_args(args.a0, args.a1));
  TRY(check_clone_args(from));
  CloneRequest request;
  request.flags = from.flags;
  request.exit_signal = static_cast<std::int32_t>(from.exit_signal);
  request.stack = from.stack + from.stack_size;
  request.parent_tid = from.parent_tid;
  request.pidfd = from.pidfd;
  request.child_tid = from.child_tid;
  request.tls = from.tls;
  return cloned(request);
}

SyscallResult sys_unshare(const SyscallArgs& args) {
  constexpr std::uint64_t kNamespaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS |
                                        CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET |
                                        CLONE_NEWTIME;
  // What a process of one thread has for itself already.
  constexpr std::uint64_t kAlone = CLONE_VM | CLONE_SIGHAND | CLONE_THREAD;
  Task& task = current();
  if ((args.a0 & ~(kNamespaces | kAlone | CLONE_SYSVSEM | CLONE_FILES | CLONE_FS)) != 0) {
    return fail(EINVAL);
  }
  if ((args.a0 & kNamespaces) != 0) {
    const bool unprivileged = (args.a0 & CLONE_NEWUSER) != 0;
    return fail(unprivileged || task.credentials.has(CAP_SYS_ADMIN) ? EINVAL : EPERM);
  }
  if ((args.a0 & kAlone) != 0 && !is_alone(task)) {
    return fail(EINVAL);
  }
  if ((args.a0 & CLONE_FILES) != 0) {
    TRY(own_files(task));
  }
  if ((args.a0 & CLONE_FS) != 0) {
    TRY(own_place(task));
  }
  return 0;
}

// ---- waiting
// ---------------------------------------------------------------------------------------

namespace {

Result<void> tell_usage(UserAddress to, const CpuTime& time) {
  if (to == 0) {
    return {};
  }
  rusage usage{};
  usage.ru_utime = {time.user / kNanosPerSecond, time.user % kNanosPerSecond / 1000};
  usage.ru_stime = {time.system / kNanosPerSecond, time.system % kNanosPerSecond / 1000};
  return UserOut<rusage>(to).copy_out(usage);
}

std::int32_t own_group() {
  const ProcessTable::Guard family;
  return current().process->group->id->number;
}

ChildSelection select_by_pid(std::int32_t pid) {
  using Which = ChildSelection::Which;
  ChildSelection selection;
  if (pid > 0) {
    selection.which = Which::Process;
    selection.number = pid;
  } else if (pid != -1) {
    selection.which = Which::Group;
    selection.number = pid == 0 ? own_group() : -pid;
  }
  return selection;
}

}  // namespace

SyscallResult sys_wait4(const SyscallArgs& args) {
  constexpr std::uint32_t kKnown =
      WNOHANG | WUNTRACED | WCONTINUED | __WNOTHREAD | __WCLONE | __WALL;
  const auto options = static_cast<std::uint32_t>(args.a2);
  const auto pid = static_cast<std::int32_t>(args.a0);
  if ((options & ~kKnown) != 0) {
    return fail(EINVAL);
  }
  if (pid == INT32_MIN) {
    return fail(ESRCH);
  }
  ChildSelection selection = select_by_pid(pid);
  selection.options = options | WEXITED;  // WUNTRACED is WSTOPPED
  const ChildEvent event = TRY(wait_for_child(selection));
  if (event.pid != 0 && args.a1 != 0) {
    TRY(UserOut<std::int32_t>(args.a1).copy_out(event.wait_status));
  }
  if (event.pid != 0) {
    TRY(tell_usage(args.a3, event.cpu_time));
  }
  return static_cast<std::uint64_t>(event.pid);
}

namespace {

/// The child that a pidfd names. One that does not block makes the call so.
struct SelectionByPidfd {
  Ref<Process> process;
  bool nonblocking;
};
Result<SelectionByPidfd> select_by_pidfd(std::int32_t fd) {
  if (fd < 0) {
    return fail(EINVAL);
  }
  const Ref<File> file = TRY(current().files->get_any(fd));
  PidFile* const pid_file = file->as_pid_file();
  if (pid_file == nullptr) {
    return fail(EBADF);
  }
  // Nobody's child is a thread.
  return SelectionByPidfd{.process = pid_file->names_first_thread() ? pid_file->process() : nullptr,
                          .nonblocking = file->nonblocking()};
}

Result<ChildSelection> select_by_id(std::uint32_t kind, std::int32_t id, bool& nonblocking) {
  using Which = ChildSelection::Which;
  ChildSelection selection;
  switch (kind) {
    case P_ALL:
      return selection;
    case P_PID:
      if (id <= 0) {
        return fail(EINVAL);
      }
      selection.which = Which::Process;
      break;
    case P_PIDFD: {
      const SelectionByPidfd by = TRY(select_by_pidfd(id));
      selection.which = Which::Exactly;
      selection.exactly = by.process;
      nonblocking = by.nonblocking;
      return selection;
    }
    case P_PGID:
      if (id < 0) {
        return fail(EINVAL);
      }
      selection.which = Which::Group;
      break;
    default:
      return fail(EINVAL);
  }
  selection.number = kind == P_PGID && id == 0 ? own_group() : id;
  return selection;
}

SignalInfo info_of(const ChildEvent& event) {
  SignalInfo info;
  if (event.pid != 0) {
    info.number = kSigchld;
    info.code = event.code;
    info.child = {event.pid, event.uid, event.status, 0, 0};
  }
  return info;
}

}  // namespace

SyscallResult sys_waitid(const SyscallArgs& args) {
  constexpr std::uint32_t kEvents = WEXITED | WSTOPPED | WCONTINUED;
  constexpr std::uint32_t kKnown = kEvents | WNOHANG | WNOWAIT | __WNOTHREAD | __WCLONE | __WALL;
  const auto options = static_cast<std::uint32_t>(args.a3);
  if ((options & ~kKnown) != 0 || (options & kEvents) == 0) {
    return fail(EINVAL);
  }
  bool nonblocking = false;
  ChildSelection selection = TRY(select_by_id(static_cast<std::uint32_t>(args.a0),
                                              static_cast<std::int32_t>(args.a1), nonblocking));
  selection.options = nonblocking ? options | WNOHANG : options;
  const ChildEvent event = TRY(wait_for_child(selection));
  if (event.pid == 0 && nonblocking && (options & WNOHANG) == 0) {
    return fail(EAGAIN);
  }
  if (event.pid != 0) {
    TRY(tell_usage(args.a4, event.cpu_time));
  }
  if (args.a2 != 0) {
    // The fields that Linux writes; the rest of the buffer stays the program's.
    constexpr std::size_t kWritten = 28;
    const SignalInfo info = info_of(event);
    TRY(copy_to_user(args.a2, &info, kWritten));
  }
  return 0;
}

// ---- ending
// ----------------------------------------------------------------------------------------

SyscallResult sys_exit_group(const SyscallArgs& args) {
  process_exit(static_cast<int>((args.a0 & 0xff) << 8));
}

SyscallResult sys_exit(const SyscallArgs& args) {
  thread_end(static_cast<int>((args.a0 & 0xff) << 8));
}

}  // namespace runhl::kernel
