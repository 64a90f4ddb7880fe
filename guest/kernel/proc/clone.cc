// SPDX-License-Identifier: Apache-2.0
#include "proc/clone.h"

#include <linux/capability.h>
#include <linux/sched.h>
#include <sys/resource.h>

#include <algorithm>
#include <utility>

#include "arch/x86_64/fpu.h"
#include "core/linux_signal.h"
#include "core/user_memory.h"
#include "fs/fd_table.h"
#include "fs/fs_context.h"
#include "fs/objects/pid_file.h"
#include "host/events.h"
#include "proc/cell.h"
#include "proc/process.h"
#include "proc/process_table.h"
#include "proc/restart.h"
#include "proc/shared_parts.h"
#include "proc/signals.h"
#include "sched/scheduler.h"

namespace runhl::kernel {

namespace {

constexpr std::uint64_t kNamespaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |
                                      CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWTIME;

bool has(const CloneRequest& request, std::uint64_t flags) {
  return (request.flags & flags) == flags;
}

/// Combinations that Linux refuses (copy_process, kernel/fork.c).
Result<void> check_flags(const CloneRequest& request) {
  const bool threads = has(request, CLONE_THREAD);
  const bool needs_hands = threads && !has(request, CLONE_SIGHAND);
  const bool needs_memory = has(request, CLONE_SIGHAND) && !has(request, CLONE_VM);
  const bool fs_of_two = has(request, CLONE_FS) && (request.flags & (CLONE_NEWNS | CLONE_NEWUSER));
  const bool sibling_of_init = has(request, CLONE_PARENT) && current().process->signals->unkillable;
  const bool thread_elsewhere = threads && (request.flags & (CLONE_NEWUSER | CLONE_NEWPID)) != 0;
  const bool both_actions = has(request, CLONE_SIGHAND | CLONE_CLEAR_SIGHAND);
  if (needs_hands || needs_memory || fs_of_two || sibling_of_init || thread_elsewhere ||
      both_actions) {
    return fail(EINVAL);
  }
  if (has(request, CLONE_SETTLS) && request.tls >= abi::kUserEnd) {
    return fail(EPERM);  // as arch_prctl; the CPU faults on some of them
  }
  if ((request.flags & kNamespaces) != 0) {
    // As a Linux without them, after its check of the privilege.
    const bool unprivileged = has(request, CLONE_NEWUSER);
    return fail(unprivileged || current().credentials.has(CAP_SYS_ADMIN) ? EINVAL : EPERM);
  }
  return has(request, CLONE_INTO_CGROUP) ? fail(EINVAL) : Result<void>{};
}

/// The container's own limit (config.json's pids). Zombies count, as in Linux's pids cgroup.
Result<void> check_pids_limit() {
  const std::uint64_t limit = monitor_page().pids_limit;
  if (limit == 0) {
    return {};
  }
  std::uint64_t count = 0;
  const ProcessTable::Guard family;
  for (const Pid& id : family->numbers()) {
    count += id.task != nullptr || id.process != nullptr ? 1U : 0U;
  }
  return count >= limit ? fail(EAGAIN) : Result<void>{};
}

/// RLIMIT_NPROC: tasks and zombies of one user. Root and the privileged are not bound.
Result<void> check_process_limit() {
  const Task& task = current();
  const Credentials& who = task.credentials;
  const std::uint64_t limit = task.process->rlimits[RLIMIT_NPROC].soft;
  if (limit == ~0ULL || who.uid == 0 || who.has(CAP_SYS_RESOURCE) || who.has(CAP_SYS_ADMIN)) {
    return {};
  }
  std::uint64_t count = 0;
  const ProcessTable::Guard family;
  for (const Pid& id : family->numbers()) {
    const bool counts = id.task != nullptr ? id.task->credentials.uid == who.uid
                                           : id.process != nullptr && id.process->uid == who.uid;
    count += counts ? 1U : 0U;
  }
  return count >= limit ? fail(EAGAIN) : Result<void>{};
}

Result<void> share_files(const CloneRequest& request, Task& child) {
  const Task& parent = current();
  if (has(request, CLONE_FILES)) {
    child.files = Ref<FdTable>(parent.files).detach();
  } else {
    child.files = TRY(parent.files->copy()).detach();
  }
  if (has(request, CLONE_FS)) {
    child.fs = Ref<FsContext>(parent.fs).detach();
  } else {
    child.fs = TRY(parent.fs->copy()).detach();
  }
  return {};
}

Result<Ref<SignalHands>> hands_for(const CloneRequest& request) {
  const SignalState& state = *current().process->signals;
  if (has(request, CLONE_SIGHAND)) {
    return state.hands;
  }
  Ref<SignalHands> hands = TRY(copy_hands(state));
  if (has(request, CLONE_CLEAR_SIGHAND)) {
    reset_actions(*hands);
  }
  return hands;
}

Result<Ref<Process>> make_process(const CloneRequest& request) {
  const Process& parent = *current().process;
  Ref<Process> child = TRY(make_ref<Process>());
  child->signals = TRY(signals_create(TRY(hands_for(request)))).release();
  child->rlimits = parent.rlimits;
  child->no_new_privileges = parent.no_new_privileges;
  child->dumpable = parent.dumpable;
  child->exit_signal = has(request, CLONE_PARENT) ? parent.exit_signal : request.exit_signal;
  return child;
}

void inherit_scheduling(Task& child, const Task& parent) {
  child.scheduling = parent.scheduling;
  child.scheduling.default_timer_slack = parent.scheduling.timer_slack;
  if (!parent.scheduling.reset_on_fork) {
    return;
  }
  child.scheduling.policy = 0;  // SCHED_OTHER
  child.scheduling.priority = 0;
  child.scheduling.nice = std::max(parent.scheduling.nice, 0);
  child.scheduling.reset_on_fork = false;
}

/// What the program sees of itself after the call, in the child.
void copy_user_state(const CloneRequest& request, Task& child) {
  Task& parent = current();
  user_state_copy(child);
  *child.frame = *parent.frame;
  child.frame->rax = 0;
  child.frame->orig_rax = ~0ULL;
  if (request.stack != 0) {
    child.frame->rsp = request.stack;
  }
  if (has(request, CLONE_SETTLS)) {
    child.fs_base = request.tls;
  }
  child.name = parent.name;
  child.credentials = parent.credentials;
  if (!has(request, CLONE_THREAD)) {
    renew_credentials(child.credentials);
  }
  child.memory_policy = parent.memory_policy;
  child.signals.blocked = parent.signals.blocked;
  if (!has(request, CLONE_VM)) {
    child.rseq = parent.rseq;
  }
  inherit_scheduling(child, parent);
  if (!has(request, CLONE_VM) || has(request, CLONE_VFORK)) {
    child.signals.stack = parent.signals.stack;
  }
  if (has(request, CLONE_CHILD_CLEARTID)) {
    child.clear_child_tid = request.child_tid;
  }
  if (has(request, CLONE_CHILD_SETTID)) {
    child.set_child_tid = request.child_tid;
  }
}

/// The child's first act, in its own memory. It returns into the program.
void child_main() {
  Task& task = current();
  if (task.process->mm_copied) {
    task.process->mm_copied = false;
    if (!task.process->mm->finish_fork()) {
      process_exit(SIGKILL);  // the memory is not what the parent asked for
    }
  }
  if (task.set_child_tid != 0) {
    (void)UserOut<std::int32_t>(task.set_child_tid).copy_out(task.tid);  // as Linux
  }
}

Result<std::int32_t> enter_family(const CloneRequest& request, Process& child, Task& first) {
  Process& self = *current().process;
  const ProcessTable::Guard family;
  if (fatal_signal_pending(current())) {
    return fail(kRestartNoIntr);  // SIGKILL for everybody has not reached this child
  }
  Ref<Pid> id = TRY(family->allocate_number());
  Process* const parent = has(request, CLONE_PARENT) ? self.parent : &self;
  family->add_process(child, first, std::move(id), parent, self.group);
  return child.pid;
}

/// Undoes enter_family for a child that never ran.
void leave_family(Process& child, Task& first) {
  const ProcessTable::Guard family;
  family->remove_task(first);
  family->remove_process(child);
}

Result<void> give_memory(const CloneRequest& request, Process& child, Task& first) {
  if (has(request, CLONE_VM)) {
    cell_enter(*current().cell, child, first);
    return {};
  }
  const Ref<Cell> cell = TRY(cell_fork(child));
  child.mm_copied = true;
  cell_enter(*cell, child, first);
  return {};
}

/// The parent's pidfd of a child or thread that does not run yet; it tells the program only at the
/// end, since the child has a copy of the memory.
class PidfdOfChild {
 public:
  PidfdOfChild(const CloneRequest& request, Process& child)
      : wanted_(has(request, CLONE_PIDFD)),
        is_thread_(has(request, CLONE_THREAD)),
        to_(request.pidfd),
        child_(child) {}
  PidfdOfChild(const PidfdOfChild&) = delete;
  PidfdOfChild& operator=(const PidfdOfChild&) = delete;
  ~PidfdOfChild() {
    if (fd_ >= 0) {
      (void)current().files->close(fd_);
    }
  }

  /// EMFILE, EFAULT, ENOMEM.
  Result<void> make() {
    if (!wanted_) {
      return {};
    }
    const UserIn<std::int32_t> before(to_);
    TRY(UserOut<std::int32_t>(to_).copy_out(TRY(before.copy_in())));
    const std::uint32_t kind = is_thread_ ? PidFile::kThread : 0;
    file_ = TRY(make_ref<PidFile>(Ref<Process>(&child_), O_RDWR | kind));
    fd_ = TRY(current().files->install(file_, CloseOnExec::Yes,
                                       current().process->rlimits[RLIMIT_NOFILE].soft));
    return {};
  }
  /// Of a thread, once it has a number.
  void name_thread(const Task& task) {
    if (file_ != nullptr) {
      file_->name_thread(task.id);
    }
  }
  void tell() {
    if (fd_ >= 0) {
      (void)UserOut<std::int32_t>(to_).copy_out(std::exchange(fd_, -1));
    }
  }

 private:
  const bool wanted_, is_thread_;
  const UserAddress to_;
  Process& child_;
  Ref<PidFile> file_;
  int fd_ = -1;
};

/// vfork: the parent waits until the child has given up the memory; only its own end is earlier.
void wait_for_release(Process& child) {
  (void)wait(
      child.mm_released_queue, [&child] { return child.mm_released.load(); }, kNoDeadline,
      Interruptible::Killable);
}

Result<std::int32_t> clone_process(const CloneRequest& request, void (*first_act)()) {
  TRY(check_pids_limit());
  TRY(check_process_limit());
  const Ref<Task> task = TRY(task_create(first_act));
  const Ref<Process> child = TRY(make_process(request));
  copy_user_state(request, *task);
  PidfdOfChild pidfd(request, *child);
  const auto build = [&]() -> Result<std::int32_t> {
    TRY(share_files(request, *task));
    TRY(pidfd.make());
    const std::int32_t pid = TRY(enter_family(request, *child, *task));
    const Result<void> done = give_memory(request, *child, *task);
    if (!done) {
      leave_family(*child, *task);
      return tl::unexpected(done.error());
    }
    return pid;
  };
  const Result<std::int32_t> pid = build();
  if (!pid) {
    drop_files(*task);
    task_discard(*task);
    return pid;
  }
  pidfd.tell();
  if (has(request, CLONE_PARENT_SETTID)) {
    (void)UserOut<std::int32_t>(request.parent_tid).copy_out(*pid);  // as Linux
  }
  wake(*task);
  if (has(request, CLONE_VFORK)) {
    wait_for_release(*child);
  }
  return pid;
}

/// Into the family, unless the process ends meanwhile: then the call is made again, which it never
/// is.
Result<std::int32_t> join_process(Process& process, Task& task) {
  const ProcessTable::Guard family;
  if (process.signals->exiting.load() || process.signals->survivor.load() != nullptr) {
    return fail(kRestartNoIntr);
  }
  Ref<Pid> id = TRY(family->allocate_number());
  family->add_task(process, task, std::move(id));
  return task.tid;
}

Result<std::int32_t> clone_thread(const CloneRequest& request) {
  TRY(check_pids_limit());
  TRY(check_process_limit());
  Process& process = *current().process;
  const Ref<Task> task = TRY(task_create(&child_main));
  copy_user_state(request, *task);
  task->releases_vfork = false;
  PidfdOfChild pidfd(request, process);
  const auto build = [&]() -> Result<std::int32_t> {
    TRY(share_files(request, *task));
    TRY(pidfd.make());
    return join_process(process, *task);
  };
  const Result<std::int32_t> tid = build();
  if (!tid) {
    drop_files(*task);
    task_discard(*task);
    return tid;
  }
  task->cell = Ref<Cell>(current().cell).detach();
  pidfd.name_thread(*task);
  pidfd.tell();
  if (has(request, CLONE_PARENT_SETTID)) {
    (void)UserOut<std::int32_t>(request.parent_tid).copy_out(*tid);  // as Linux
  }
  wake(*task);
  return tid;
}

}  // namespace

Result<std::int32_t> clone_task(const CloneRequest& request) {
  TRY(check_flags(request));
  if (signal_pending(current())) {
    return fail(kRestartNoIntr);  // the signal may be for the whole group, without a child yet
  }
  if (has(request, CLONE_THREAD)) {
    return clone_thread(request);
  }
  return clone_process(request, &child_main);
}

Result<Ref<Process>> spawn_child(void (*function)(), std::uint64_t argument) {
  current().frame->rdi = argument;  // no program's registers: the child gets a copy
  const std::int32_t pid =
      TRY(clone_process({.flags = CLONE_VM | CLONE_VFORK, .exit_signal = SIGCHLD}, function));
  return find_process(pid);
}

}  // namespace runhl::kernel
