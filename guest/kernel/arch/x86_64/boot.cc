// SPDX-License-Identifier: Apache-2.0
#include "arch/x86_64/boot.h"

#include <linux/sched.h>

#include "arch/x86_64/carrier.h"
#include "arch/x86_64/fpu.h"
#include "arch/x86_64/host_syscall.h"
#include "core/linux_signal.h"
#include "core/panic.h"
#include "core/random.h"
#include "host/clock.h"
#include "host/events.h"
#include "ipc/semaphore_set.h"
#include "ipc/shared_segment.h"
#include "ipc/sysv_queue.h"
#include "mm/heap_init.h"
#include "proc/boot.h"
#include "proc/process_table.h"
#include "sched/futex.h"
#include "sched/scheduler.h"
#include "sched/timers.h"

namespace runhl::kernel {

namespace {

void check_monitor_page() {
  const abi::MonitorPage& page = monitor_page();
  if (page.magic != abi::kMonitorMagic || page.version != abi::kAbiVersion) {
    panic("the monitor speaks another version of the native ABI");
  }
}

void init_memory_and_clocks() {
  const abi::MonitorPage& page = monitor_page();
  random_seed(page.seed);
  heap_init(page.heap_size);
  if (!clock_init()) {
    boot_failed(ENOSYS, "the host's vdso cannot serve clock_gettime in user mode");
  }
}

void init_cpus(Carrier& carrier) {
  // Run time has one vCPU, whatever the cpuset allows; the structures are for all of them.
  constexpr std::uint32_t kRunTimeVcpus = 1;
  if (!scheduler_init(carrier, kRunTimeVcpus) || !timers_init() || !futex_init() ||
      !processes_init() || !shared_segments_init() || !semaphore_sets_init() ||
      !sysv_queues_init()) {
    boot_failed(ENOMEM, "out of kernel memory at boot");
  }
}

/// Cell 1, on its own idle stack.
[[noreturn]] void cell1_main() {
  Carrier& carrier = carrier_of_stack();
  carrier_adopt(carrier);  // before anything else: both still name slot 0's
  heap_populate();
  await_vcpu(carrier);
  boot_start_init();
  carrier_loop();
}

[[noreturn]] void start_cell1(Carrier& own) {
  Carrier& carrier = carrier_init(kCell1Slot, nullptr, nullptr);
  const std::int64_t pid =
      runhl_clone_cell(SIGCHLD | CLONE_FILES, idle_stack_top(kCell1Slot), &cell1_main);
  if (pid < 0) {
    boot_failed(static_cast<int>(-pid), "the host refused to clone a cell");
  }
  (void)carrier_publish(carrier, static_cast<std::int32_t>(pid));  // nobody reaps yet
  hand_over(own, carrier);
  cell0_loop();
}

}  // namespace

}  // namespace runhl::kernel

/// in: on slot 0's idle stack, which this frame never leaves.
extern "C" [[noreturn]] void runhl_boot_cell0() {
  using namespace runhl::kernel;
  const bool fsgsbase = (monitor_page().flags & runhl::abi::kHasFsgsbase) != 0;
  fpu_init(fsgsbase);
  Carrier& carrier = carrier_init(kCell0Slot, nullptr, nullptr);
  carrier_adopt(carrier);
  carrier.cell.store(1);
  carrier.tid.store(1);
  check_monitor_page();
  if ((monitor_page().flags & runhl::abi::kPanicTest) != 0) {
    panic("panic asked for by the monitor");
  }
  init_memory_and_clocks();
  init_cpus(carrier);
  start_cell1(carrier);
}
