// SPDX-License-Identifier: Apache-2.0
#include "proc/process.h"

#include "proc/interval_timer.h"
#include "proc/program_image.h"
#include "proc/signals.h"

namespace runhl::kernel {

Process::Process() = default;

Process::~Process() {
  delete real_timer;
  delete signals;
}

}  // namespace runhl::kernel
