// SPDX-License-Identifier: Apache-2.0
#include "proc/parent_notice.h"

#include "core/linux_signal.h"
#include "host/clock.h"
#include "proc/signals.h"

namespace runhl::kernel {

namespace {

constexpr std::uint64_t kIgnore = 1;                   // SIG_IGN
constexpr std::int64_t kTick = kNanosPerSecond / 100;  // of USER_HZ

SignalInfo child_info(const Process& child, int number, int code, int status) {
  SignalInfo info;
  info.number = number;
  info.code = code;
  const std::uint32_t uid = child.tasks.empty() ? child.uid : child.tasks.front().credentials.uid;
  info.child = {child.pid, uid, status, child.ended_time.user / kTick,
                child.ended_time.system / kTick};
  return info;
}

}  // namespace

EndOfChild describe_end(int wait_status) {
  const int signal = wait_status & 0x7f;
  if (signal == 0) {
    return {CLD_EXITED, wait_status >> 8 & 0xff};
  }
  return {(wait_status & 0x80) != 0 ? CLD_DUMPED : CLD_KILLED, signal};
}

bool notify_parent(Process& child, int code, int status) {
  Process& parent = *child.parent;
  const bool ended = code == CLD_EXITED || code == CLD_KILLED || code == CLD_DUMPED;
  const int number = ended ? child.exit_signal : SIGCHLD;
  const SignalAction action = parent.signals->action(SIGCHLD);
  const bool ignored = number == SIGCHLD && action.handler == kIgnore;
  const bool no_zombie = number == SIGCHLD && (ignored || (action.flags & SA_NOCLDWAIT) != 0);
  const bool silent = ignored || (!ended && (action.flags & SA_NOCLDSTOP) != 0);
  if (number != 0 && !silent) {
    // Out of memory: lost, as on Linux; waiting still tells.
    (void)signal_send_locked(parent, child_info(child, number, code, status), Origin::Guest);
  }
  wake_all(parent.child_changed);
  return ended && no_zombie;
}

bool notify_parent_of_end(Process& child) {
  const EndOfChild end = describe_end(child.wait_status);
  return notify_parent(child, end.code, end.status);
}

}  // namespace runhl::kernel
