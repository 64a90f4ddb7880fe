// SPDX-License-Identifier: Apache-2.0
#include "arch/x86_64/host_syscall.h"
#include "host/host_call.h"
#include "proc/process.h"
#include "sched/scheduler.h"

namespace runhl::kernel {

void process_exit(int wait_status) {
  // One process for now: its end is the container's. The host frees the memory of the cell.
  ring_post(abi::RingOp::Exit, 0, static_cast<std::uint32_t>(wait_status));
  this_carrier().end_ordered.store(true);
  host::exit_group(0);
}

}  // namespace runhl::kernel
