// SPDX-License-Identifier: Apache-2.0
// The end of a process, in the order of Linux's do_exit: memory, files, family.
#include <poll.h>

#include <utility>

#include "arch/x86_64/host_syscall.h"
#include "core/linux_signal.h"
#include "core/user_memory.h"
#include "fs/tty/job_control.h"
#include "host/host_call.h"
#include "ipc/semaphore_set.h"
#include "proc/cell.h"
#include "proc/interval_timer.h"
#include "proc/parent_notice.h"
#include "proc/process.h"
#include "proc/process_table.h"
#include "proc/program_image.h"
#include "proc/robust_list.h"
#include "proc/shared_parts.h"
#include "proc/signal_queue.h"
#include "proc/signals.h"
#include "sched/futex.h"
#include "sched/futex_pi.h"
#include "sched/scheduler.h"

namespace runhl::kernel {

namespace {

constexpr int kFromKernel = 0x80;  // SI_KERNEL

/// The end of the container's init: cell 0 sees the cell end and ends all others with itself.
[[noreturn]] void end_container(int wait_status) {
  ring_post(abi::RingOp::Exit, 0, static_cast<std::uint32_t>(wait_status));
  this_carrier().end_ordered.store(true);
  host::exit_group(0);
}

SignalInfo from_kernel(int number) {
  SignalInfo info;
  info.number = number;
  info.code = kFromKernel;
  return info;
}

/// Who inherits the children: the nearest ancestor that asked for orphans, else init.
Process& reaper_for(Process& process) {
  for (Process* at = process.parent; at != nullptr; at = at->parent) {
    if (at->child_subreaper && at->state == ProcessState::Live) {
      return *at;
    }
  }
  return *container_init();
}

/// A group is orphaned when no member has a parent in another group of the same session; `leaving`
/// does not count. Stopped members of one that becomes so would wait for ever: SIGHUP, SIGCONT.
bool is_orphaned(ProcessGroup& group, const Process* leaving) {
  for (const Process& member : group.members) {
    const bool counts =
        &member != leaving && member.state == ProcessState::Live && member.parent != nullptr;
    if (counts && member.parent->group != member.group &&
        member.parent->group->session == member.group->session) {
      return false;
    }
  }
  return true;
}

bool has_stopped_member(ProcessGroup& group) {
  for (const Process& member : group.members) {
    if (member.signals->stopped.load()) {
      return true;
    }
  }
  return false;
}

/// `process` goes, or gets another parent than `parent`: its group may be orphaned by that.
void tell_orphaned_group(Process& process, const Process& parent, const Process* leaving) {
  ProcessGroup& group = *process.group;
  const bool parent_mattered =
      parent.group != process.group && parent.group->session == group.session;
  if (!parent_mattered || !is_orphaned(group, leaving) || !has_stopped_member(group)) {
    return;
  }
  for (Process& member : group.members) {
    (void)signal_send_locked(member, from_kernel(SIGHUP), Origin::Guest);
    (void)signal_send_locked(member, from_kernel(SIGCONT), Origin::Guest);
  }
}

void give_away_children(ProcessTable& family, Process& process) {
  if (process.children.empty()) {
    return;
  }
  Process& reaper = reaper_for(process);
  while (!process.children.empty()) {
    Process& child = process.children.front();
    for (Task& task : child.tasks) {
      if (task.parent_death_signal != 0) {
        (void)signal_send_locked(child, from_kernel(task.parent_death_signal), Origin::Guest);
      }
    }
    family.set_parent(child, reaper);
    child.exit_signal = SIGCHLD;
    if (child.state == ProcessState::Zombie && notify_parent_of_end(child)) {
      family.remove_process(child);
      continue;
    }
    tell_orphaned_group(child, process, nullptr);
  }
}

/// From here on there is only the number and how it ended. The task is off its process.
void become_zombie(Task& task, int wait_status) {
  Process& process = *task.process;
  const ProcessTable::Guard family;
  give_away_children(*family, process);
  if (process.parent != nullptr) {
    tell_orphaned_group(process, *process.parent, &process);
  }
  cpu_time_leave(process, task);
  process.uid = task.credentials.uid;
  process.wait_status = wait_status;
  process.state = ProcessState::Zombie;
  family->remove_task(task);
  {
    const SpinLock::Guard guard(process.signals->lock);
    drop_signals(*process.signals, process.signals->shared, ~SignalSet{0});
  }
  process.ends.notify(POLLIN | POLLRDNORM);
  if (notify_parent_of_end(process)) {
    family->remove_process(process);
  }
}

}  // namespace

void release_memory(Task& task) {
  Process& process = *task.process;
  robust_list_release(task);
  futex_release_owned(task);
  task.rseq = {};
  if (task.clear_child_tid != 0) {
    if (!is_alone(task)) {  // who is left may wait for it
      (void)UserOut<std::int32_t>(task.clear_child_tid).copy_out(0);
      (void)futex_wake({task.clear_child_tid, FutexScope::Shared}, 1, kAnyBits);
    }
    task.clear_child_tid = 0;
  }
  if (!task.releases_vfork) {
    return;
  }
  task.releases_vfork = false;
  process.mm_released.store(true);
  wake_all(process.mm_released_queue);
}

bool group_is_orphaned(Process& process) {
  const ProcessTable::Guard family;
  return is_orphaned(*process.group, nullptr);
}

void process_end(int wait_status) {
  Task& task = current();
  Process& process = *task.process;
  if (&process == container_init()) {
    end_container(wait_status);
  }
  task.signals.blocked = ~0ULL;  // nothing interrupts what follows
  interval_timer_stop(process);
  posix_timers_clear(process);
  cell_leave(process);
  sem_undo_all(process);
  drop_files(task);
  process.image.reset();
  leader_gives_up_terminal(process);
  become_zombie(task, wait_status);
  leave_for_ever();
}

}  // namespace runhl::kernel
