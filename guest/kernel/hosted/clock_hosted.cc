// SPDX-License-Identifier: Apache-2.0
// The host's clocks, which a test may advance.
#include <ctime>

#include "host/clock.h"
#include "hosted/task_hosted.h"

namespace runhl::kernel {

namespace {
Nanoseconds g_clock_advance = 0;
}  // namespace

namespace hosted {
void advance_clock(Nanoseconds by) {
  g_clock_advance += by;
}
}  // namespace hosted

Nanoseconds monotonic_now() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return to_nanoseconds({now.tv_sec, now.tv_nsec}) + g_clock_advance;
}

Nanoseconds realtime_now() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return to_nanoseconds({now.tv_sec, now.tv_nsec}) + g_clock_advance;
}

}  // namespace runhl::kernel
