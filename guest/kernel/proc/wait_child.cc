// SPDX-License-Identifier: Apache-2.0
#include "proc/wait_child.h"

#include <linux/wait.h>

#include <optional>

#include "core/linux_signal.h"
#include "proc/parent_notice.h"
#include "proc/process_table.h"
#include "sched/wait.h"

namespace runhl::kernel {

namespace {

constexpr int kStopped = 0x7f;      // wait status of a stop, the signal above it
constexpr int kContinued = 0xffff;  // and of going on

bool is_selected(const Process& child, const ChildSelection& selection) {
  switch (selection.which) {
    case ChildSelection::Which::All:
      break;
    case ChildSelection::Which::Process:
      if (child.pid != selection.number) {
        return false;
      }
      break;
    case ChildSelection::Which::Exactly:
      if (&child != selection.exactly) {
        return false;
      }
      break;
    case ChildSelection::Which::Group:
      if (child.group->id->number != selection.number) {
        return false;
      }
      break;
  }
  const bool is_clone = child.exit_signal != SIGCHLD;
  const bool wants_clones = (selection.options & __WCLONE) != 0;
  return (selection.options & __WALL) != 0 || is_clone == wants_clones;
}

ChildEvent event_of(const Process& child, int code, int status, int wait_status) {
  ChildEvent event;
  event.pid = child.pid;
  event.uid = child.tasks.empty() ? child.uid : child.tasks.front().credentials.uid;
  event.code = code;
  event.status = status;
  event.wait_status = wait_status;
  event.cpu_time = child.ended_time;
  event.cpu_time += child.children_time;
  return event;
}

/// What there is to tell of `child`, taken unless WNOWAIT.
std::optional<ChildEvent> take_event(ProcessTable& family, Process& child, std::uint32_t options) {
  const bool keep = (options & WNOWAIT) != 0;
  if (child.state == ProcessState::Zombie) {
    if ((options & WEXITED) == 0) {
      return std::nullopt;
    }
    const EndOfChild end = describe_end(child.wait_status);
    const ChildEvent event = event_of(child, end.code, end.status, child.wait_status);
    if (!keep) {
      child.parent->children_time += event.cpu_time;
      family.remove_process(child);
    }
    return event;
  }
  if ((options & WSTOPPED) != 0 && child.stop_report != 0) {
    const int signal = child.stop_report;
    child.stop_report = keep ? child.stop_report : std::uint8_t{0};
    return event_of(child, CLD_STOPPED, signal, signal << 8 | kStopped);
  }
  if ((options & WCONTINUED) != 0 && child.continue_report) {
    child.continue_report = keep;
    return event_of(child, CLD_CONTINUED, SIGCONT, kContinued);
  }
  return std::nullopt;
}

/// An event, or none yet; ECHILD: no such child.
Result<std::optional<ChildEvent>> look(const ChildSelection& selection) {
  const ProcessTable::Guard family;
  bool any = false;
  for (Process& child : current().process->children) {
    if (!is_selected(child, selection)) {
      continue;
    }
    any = true;
    if (const auto event = take_event(*family, child, selection.options)) {
      return event;
    }
  }
  if (!any) {
    return fail(ECHILD);
  }
  return std::optional<ChildEvent>{};
}

}  // namespace

Result<ChildEvent> wait_for_child(const ChildSelection& selection) {
  Result<std::optional<ChildEvent>> seen = look(selection);
  const auto decided = [&seen] { return !seen || seen->has_value(); };
  if (!decided() && (selection.options & WNOHANG) == 0) {
    const auto look_again = [&] {
      seen = look(selection);
      return decided();
    };
    TRY(wait(current().process->child_changed, look_again, kNoDeadline, Interruptible::Yes));
  }
  if (!seen) {
    return tl::unexpected(seen.error());
  }
  return seen->value_or(ChildEvent{});
}

}  // namespace runhl::kernel
