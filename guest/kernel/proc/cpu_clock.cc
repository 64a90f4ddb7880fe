// SPDX-License-Identifier: Apache-2.0
#include "proc/cpu_clock.h"

#include <ctime>

#include "proc/cpu_time.h"
#include "proc/process_table.h"

namespace runhl::kernel {

namespace {

// include/linux/posix-timers_types.h: bits 0-1 the kind (3: a device's clock), bit 2 a thread's,
// the rest the inverted number.
constexpr int kKindMask = 3;
constexpr int kDevice = 3;
constexpr int kThread = 4;
constexpr int kNumberShift = 3;

Nanoseconds of_kind(const CpuTime& time, CpuClockKind kind) {
  return kind == CpuClockKind::User ? time.user : time.total();
}

}  // namespace

bool is_cpu_clock(int clock) {
  return clock < 0 || clock == CLOCK_PROCESS_CPUTIME_ID || clock == CLOCK_THREAD_CPUTIME_ID;
}

Result<CpuClock> find_cpu_clock(int clock) {
  Task& self = current();
  if (clock == CLOCK_PROCESS_CPUTIME_ID) {
    return CpuClock{Ref<Process>(self.process), nullptr, CpuClockKind::Scheduled};
  }
  if (clock == CLOCK_THREAD_CPUTIME_ID) {
    return CpuClock{nullptr, Ref<Task>(&self), CpuClockKind::Scheduled};
  }
  if ((clock & kKindMask) == kDevice) {
    return fail(EINVAL);
  }
  const std::int32_t number = ~(clock >> kNumberShift);
  CpuClock found{nullptr, nullptr, static_cast<CpuClockKind>(clock & kKindMask)};
  if ((clock & kThread) != 0) {
    found.task = number == 0 ? Ref<Task>(&self) : find_task(number);
    if (found.task == nullptr || found.task->process != self.process) {
      return fail(EINVAL);
    }
    return found;
  }
  found.process = number == 0 ? Ref<Process>(self.process) : find_process(number);
  if (found.process == nullptr) {
    return fail(EINVAL);
  }
  return found;
}

Nanoseconds read_cpu_clock(const CpuClock& clock) {
  const CpuTime time =
      clock.task != nullptr ? task_cpu_time(*clock.task) : process_cpu_time(*clock.process);
  return of_kind(time, clock.kind);
}

}  // namespace runhl::kernel
