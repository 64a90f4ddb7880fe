// SPDX-License-Identifier: Apache-2.0
#include "cell/cell0.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include <csignal>
#include <cstring>

#include "cell/raw_call.h"
#include "cell/seccomp_notify.h"

namespace runhl::vmm::cell {

namespace {

// Until the end of the set-up, behind the descriptors that cells keep.
constexpr int kFdChannel = abi::kFdDoorbell + 1;
constexpr int kFdMonitorPidfd = abi::kFdDoorbell + 2;
constexpr int kFdFirstUnused = kFdMonitorPidfd + 1;

/// Sends a report, with a descriptor if `fd` >= 0. Nobody is left to tell about its failure: the
/// monitor sees the end of the channel.
void send_report(int channel, SetupStep step, int error, int fd) {
  SetupReport report{step, error};
  iovec bytes{&report, sizeof(report)};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &bytes;
  message.msg_iovlen = 1;
  if (fd >= 0) {
    message.msg_control = control;
    message.msg_controllen = sizeof(control);
    cmsghdr* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(header), &fd, sizeof(fd));
  }
  (void)raw_call(SYS_sendmsg, channel, &message, MSG_NOSIGNAL);
}

[[noreturn]] void give_up(int channel, SetupStep step, int error) {
  send_report(channel, step, error, -1);
  for (;;) {
    (void)raw_call(SYS_exit_group, 125);
  }
}

/// Puts `from` at number `to`, which may be one of the others' numbers: those moved away before.
struct Move {
  int from, to;
};

StepError place_descriptors(const Cell0Plan& plan) {
  std::array<Move, 4> moves{{{plan.kernel_memory, abi::kFdKernelMemory},
                             {plan.doorbell, abi::kFdDoorbell},
                             {plan.channel, kFdChannel},
                             {plan.monitor_pidfd, kFdMonitorPidfd}}};
  for (Move& move : moves) {
    const long high = raw_call(SYS_fcntl, move.from, F_DUPFD, kFdFirstUnused);
    if (high < 0) {
      return static_cast<StepError>(-high);
    }
    move.from = static_cast<int>(high);
  }
  long initrd = -1;
  if (plan.initrd >= 0) {
    initrd = raw_call(SYS_fcntl, plan.initrd, F_DUPFD, kFdFirstUnused);
    if (initrd < 0) {
      return static_cast<StepError>(-initrd);
    }
  }
  for (const Move& move : moves) {
    const StepError error = raw_error(SYS_dup3, move.from, move.to, O_CLOEXEC);
    if (error != 0) {
      return error;
    }
  }
  (void)raw_call(SYS_close, abi::kFdInitrd);  // may be open or not
  if (initrd >= 0) {
    const StepError error = raw_error(SYS_dup3, initrd, abi::kFdInitrd, O_CLOEXEC);
    if (error != 0) {
      return error;
    }
  }
  (void)raw_call(SYS_close, abi::kFdSnapshot);
  (void)raw_call(SYS_close_range, 0U, 2U, 0);
  // The table grows to its full size now, while nobody shares it: growing one that cells share
  // waits for an RCU grace period, 10 to 15 ms of the first injection. A refusal costs only that.
  (void)raw_call(SYS_dup3, abi::kFdDoorbell, abi::kFdInjectedLast, O_CLOEXEC);
  return raw_error(SYS_close_range, static_cast<unsigned>(kFdFirstUnused), ~0U, 0);
}

StepError wait_for_go() {
  char go = 0;
  const long got = raw_call(SYS_recvfrom, kFdChannel, &go, sizeof(go), 0, nullptr, nullptr);
  if (got < 0) {
    return static_cast<StepError>(-got);
  }
  return got == 1 ? 0 : ECONNRESET;
}

StepError die_with_monitor() {
  // Both are reset by changes of the credentials, so they come behind them.
  StepError error = raw_error(SYS_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0);
  if (error == 0) {
    error = raw_error(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  }
  pollfd monitor{kFdMonitorPidfd, POLLIN, 0};
  const long dead = error == 0 ? raw_call(SYS_poll, &monitor, 1, 0) : 0;
  if (dead < 0) {
    return static_cast<StepError>(-dead);
  }
  return dead > 0 ? ESRCH : error;
}

/// The listener, or -errno.
long install_notify_filter(const Cell0Plan& plan) {
  // SAFETY: the host only reads the program.
  const sock_fprog program{static_cast<unsigned short>(plan.notify.size()),
                           const_cast<sock_filter*>(plan.notify.data())};
  const unsigned long flags = SECCOMP_FILTER_FLAG_NEW_LISTENER |
                              (plan.wait_killable ? SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV : 0UL);
  return raw_call(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
}

}  // namespace

const char* describe(SetupStep step) {
  switch (step) {
    case SetupStep::Done:
      return "done";
    case SetupStep::Rseq:
      return "unregister rseq";
    case SetupStep::Group:
      return "enter the cells' control group";
    case SetupStep::Session:
      return "setsid";
    case SetupStep::Signals:
      return "rt_sigaction";
    case SetupStep::MapText:
      return "map kernel text";
    case SetupStep::MapMemory:
      return "mmap of kernel memory";
    case SetupStep::MapHostCallArea:
      return "mremap of the host-call area";
    case SetupStep::MapMonitorArea:
      return "mmap of the monitor area";
    case SetupStep::MapInitrd:
      return "mmap of the initrd";
    case SetupStep::MapVdso:
      return "mremap of the vdso";
    case SetupStep::Descriptors:
      return "place descriptors";
    case SetupStep::Limits:
      return "prlimit";
    case SetupStep::Go:
      return "wait for the monitor";
    case SetupStep::Directory:
      return "chdir to the jail's root";
    case SetupStep::Landlock:
      return "landlock_restrict_self";
    case SetupStep::Groups:
      return "setgroups";
    case SetupStep::Ids:
      return "setresuid";
    case SetupStep::Capabilities:
      return "drop capabilities";
    case SetupStep::NoNewPrivs:
      return "prctl(PR_SET_NO_NEW_PRIVS)";
    case SetupStep::ParentDeath:
      return "prctl(PR_SET_PDEATHSIG)";
    case SetupStep::Filter:
      return "seccomp with a listener";
  }
  return "unknown step";
}

void become_cell0_after_fork(const Cell0Plan& plan) {
  int channel = plan.channel;
  const auto step = [&channel](SetupStep name, StepError error) {
    if (error != 0) {
      give_up(channel, name, error);
    }
  };
  // Else the monitor's death would not end our wait for it.
  (void)raw_call(SYS_close, plan.monitor_channel);
  step(SetupStep::Rseq, unregister_rseq_after_fork());
  step(SetupStep::Group, enter_cgroup_after_fork(plan));
  const long session = raw_call(SYS_setsid);
  step(SetupStep::Session, session < 0 ? static_cast<StepError>(-session) : 0);
  step(SetupStep::Signals, take_signals_after_fork(plan));

  step(SetupStep::MapText, map_text_after_fork(plan));
  step(SetupStep::MapMemory, map_memory_after_fork(plan));
  step(SetupStep::MapHostCallArea, map_host_call_area_after_fork(plan));
  step(SetupStep::MapMonitorArea, map_monitor_area_after_fork(plan));
  step(SetupStep::MapInitrd, map_initrd_after_fork(plan));
  step(SetupStep::MapVdso, move_vdso_after_fork(plan));
  step(SetupStep::Descriptors, place_descriptors(plan));
  channel = kFdChannel;
  step(SetupStep::Limits, limit_resources_after_fork(plan));

  step(SetupStep::Go, wait_for_go());
  // The root is the jail's by now, where the monitor has changed it; this came along from the host.
  step(SetupStep::Directory, raw_error(SYS_chdir, "/"));
  step(SetupStep::Landlock, restrict_files_after_fork(plan));
  if (plan.drop_groups) {
    step(SetupStep::Groups, raw_error(SYS_setgroups, 0, nullptr));
  }
  step(SetupStep::Ids, take_ids_after_fork(plan));
  step(SetupStep::Capabilities, drop_capabilities_after_fork());
  step(SetupStep::NoNewPrivs, raw_error(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
  step(SetupStep::ParentDeath, die_with_monitor());

  const long listener = plan.notify.empty() ? -1 : install_notify_filter(plan);
  const bool taken = listener == -EBUSY;  // by an outer sandbox: a process can have one only
  step(SetupStep::Filter,
       listener < 0 && !taken && !plan.notify.empty() ? static_cast<StepError>(-listener) : 0);
  send_report(channel, SetupStep::Done, 0, static_cast<int>(listener));
  if (taken) {
    step(SetupStep::Go, wait_for_go());
  }
  if (listener >= 0) {
    (void)raw_call(SYS_close, listener);  // the lowest free number
  }
  (void)raw_call(SYS_close_range, static_cast<unsigned>(kFdChannel), ~0U, 0);
  enter_window_after_fork(plan, listener < 0 ? plan.strict_without_listener : plan.strict);
}

}  // namespace runhl::vmm::cell
