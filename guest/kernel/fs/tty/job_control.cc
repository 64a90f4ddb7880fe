// SPDX-License-Identifier: Apache-2.0
// The rules of Linux's tty_jobctrl.c. What the terminal knows are numbers; whom they name is looked
// up under the process table's lock, which also guards Session::terminal.
#include "fs/tty/job_control.h"

#include <linux/capability.h>

#include <utility>

#include "core/linux_signal.h"
#include "fs/tty/tty.h"
#include "proc/process.h"
#include "proc/process_table.h"
#include "proc/signals.h"

namespace runhl::kernel {
namespace {

constexpr int kFromKernel = 0x80;  // SI_KERNEL

SignalInfo from_kernel(int number) {
  SignalInfo info;
  info.number = number;
  info.code = kFromKernel;
  return info;
}

/// The caller holds the process table's lock.
void signal_group(ProcessTable& family, std::int32_t group, int number) {
  ProcessGroup* const found = group != 0 ? family.find_group(group) : nullptr;
  if (found == nullptr) {
    return;
  }
  for (Process& member : found->members) {
    (void)signal_send_locked(member, from_kernel(number), Origin::Guest);  // lost: out of memory
  }
}

Session& session_of_caller() {
  return *current().process->group->session;
}

bool is_leader(const Process& process) {
  return process.group->session->id->number == process.pid;
}

/// The caller holds the process table's lock; the count that the session held is the result's.
Ref<Tty> detach(Session& session) {
  Ref<Tty> tty(std::exchange(session.terminal, nullptr), false);
  if (tty != nullptr) {
    tty->session.store(0);
    tty->foreground.store(0);
  }
  return tty;
}

void attach(Session& session, Tty& tty) {
  intrusive_ptr_add_ref(&tty);
  session.terminal = &tty;
  tty.session.store(session.id->number);
  tty.foreground.store(current().process->group->id->number);
}

Session* find_session(ProcessTable& family, std::int32_t number) {
  Pid* const id = number != 0 ? family.find(number) : nullptr;
  return id == nullptr ? nullptr : id->session;
}

bool is_ignored_or_blocked(int number) {
  const Task& task = current();
  return (task.signals.blocked & signal_bit(number)) != 0 ||
         task.process->signals->action(number).handler == 1;
}

}  // namespace

Ref<Tty> controlling_terminal() {
  const ProcessTable::Guard family;
  return Ref<Tty>(session_of_caller().terminal);
}

void adopt_terminal(Tty& tty) {
  const ProcessTable::Guard family;
  Session& session = session_of_caller();
  if (is_leader(*current().process) && session.terminal == nullptr && tty.session.load() == 0) {
    attach(session, tty);
  }
}

Result<void> set_controlling_terminal(Tty& tty, bool steal) {
  Ref<Tty> stolen;  // dropped after the lock
  const ProcessTable::Guard family;
  Session& session = session_of_caller();
  if (is_leader(*current().process) && session.terminal == &tty) {
    return {};
  }
  if (!is_leader(*current().process) || session.terminal != nullptr) {
    return fail(EPERM);
  }
  if (tty.session.load() != 0) {
    if (!steal || !current().credentials.has(CAP_SYS_ADMIN)) {
      return fail(EPERM);
    }
    if (Session* const other = find_session(*family, tty.session.load())) {
      stolen = detach(*other);
    }
  }
  attach(session, tty);
  return {};
}

Result<void> give_up_terminal(Tty& tty) {
  {
    const ProcessTable::Guard family;
    if (session_of_caller().terminal != &tty) {
      return fail(ENOTTY);
    }
    if (!is_leader(*current().process)) {
      // Linux takes it from the one process; here it is the session's.
      return {};
    }
  }
  leader_gives_up_terminal(*current().process);
  return {};
}

void leader_gives_up_terminal(Process& leader) {
  Ref<Tty> tty;  // dropped after the lock
  const ProcessTable::Guard family;
  if (leader.group == nullptr || !is_leader(leader)) {
    return;
  }
  Session& session = *leader.group->session;
  if (session.terminal == nullptr) {
    return;
  }
  const std::int32_t foreground = session.terminal->foreground.load();
  tty = detach(session);
  signal_group(*family, foreground, SIGHUP);
  signal_group(*family, foreground, SIGCONT);
}

void end_session_of(Tty& tty) {
  Ref<Tty> held;  // dropped after the lock
  const ProcessTable::Guard family;
  Session* const session = find_session(*family, tty.session.load());
  if (session == nullptr || session->terminal != &tty) {
    return;
  }
  const std::int32_t number = session->id->number;
  held = detach(*session);
  if (Process* const leader = family->find_process(number)) {
    (void)signal_send_locked(*leader, from_kernel(SIGHUP), Origin::Guest);  // lost: out of memory
    (void)signal_send_locked(*leader, from_kernel(SIGCONT), Origin::Guest);
  }
}

void signal_foreground(Tty& tty, int number) {
  const ProcessTable::Guard family;
  signal_group(*family, tty.foreground.load(), number);
}

Result<void> check_background(Tty& tty, int number) {
  Process& process = *current().process;
  {
    const ProcessTable::Guard family;
    if (session_of_caller().terminal != &tty || tty.foreground.load() == 0 ||
        process.group->id->number == tty.foreground.load()) {
      return {};
    }
  }
  if (is_ignored_or_blocked(number)) {
    return number == SIGTTIN ? fail(EIO) : Result<void>{};
  }
  if (group_is_orphaned(process)) {
    return fail(EIO);
  }
  {
    const ProcessTable::Guard family;
    signal_group(*family, process.group->id->number, number);
  }
  return fail(kRestartSys);
}

Result<std::int32_t> foreground_group(Tty& tty, bool far) {
  const ProcessTable::Guard family;
  if (!far && session_of_caller().terminal != &tty) {
    return fail(ENOTTY);
  }
  return tty.foreground.load();
}

Result<void> set_foreground_group(Tty& tty, std::int32_t group) {
  const auto own_terminal = [&tty] {
    const ProcessTable::Guard family;
    return session_of_caller().terminal == &tty;
  };
  if (!own_terminal()) {
    return fail(ENOTTY);
  }
  TRY(check_background(tty, SIGTTOU));
  if (group < 0) {
    return fail(EINVAL);
  }
  const ProcessTable::Guard family;
  ProcessGroup* const found = family->find_group(group);
  if (found == nullptr) {
    return fail(ESRCH);
  }
  if (found->session.get() != &session_of_caller()) {
    return fail(EPERM);
  }
  tty.foreground.store(group);
  return {};
}

Result<std::int32_t> session_of(Tty& tty, bool far) {
  const ProcessTable::Guard family;
  if ((!far && session_of_caller().terminal != &tty) || tty.session.load() == 0) {
    return fail(ENOTTY);
  }
  return tty.session.load();
}

}  // namespace runhl::kernel
