// SPDX-License-Identifier: Apache-2.0
// Waiting for children to end, stop or go on: wait4(2), waitid(2).
#pragma once

#include <cstdint>

#include "core/result.h"
#include "proc/task.h"

namespace runhl::kernel {

struct ChildSelection {
  enum class Which : std::uint8_t { All, Process, Group, Exactly } which = Which::All;
  std::int32_t number = 0;    // of the process or group
  Ref<Process> exactly;       // by pidfd
  std::uint32_t options = 0;  // WEXITED, WSTOPPED, WCONTINUED, WNOHANG, WNOWAIT, __WALL, __WCLONE
};

struct ChildEvent {
  std::int32_t pid = 0;  // 0: none yet (WNOHANG)
  std::uint32_t uid = 0;
  int code = 0;         // CLD_*
  int status = 0;       // exit code or signal
  int wait_status = 0;  // as waitpid(2) tells it
  CpuTime cpu_time;     // with its own children's
};

/// Errors: ECHILD, EINTR.
Result<ChildEvent> wait_for_child(const ChildSelection& selection);

}  // namespace runhl::kernel
