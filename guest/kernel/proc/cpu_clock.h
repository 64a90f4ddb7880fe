// SPDX-License-Identifier: Apache-2.0
// Clock numbers that mean CPU time: CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID and those of
// clock_getcpuclockid(3), which hold a pid or tid.
#pragma once

#include <cstdint>

#include "core/result.h"
#include "mm/ref.h"
#include "proc/task.h"

namespace runhl::kernel {

enum class CpuClockKind : std::uint8_t { UserAndSystem, User, Scheduled };

struct CpuClock {
  Ref<Process> process;  // one of the two
  Ref<Task> task;
  CpuClockKind kind = CpuClockKind::Scheduled;
};

bool is_cpu_clock(int clock);
/// EINVAL: nobody's, or a thread of another process.
Result<CpuClock> find_cpu_clock(int clock);
Nanoseconds read_cpu_clock(const CpuClock& clock);

}  // namespace runhl::kernel
