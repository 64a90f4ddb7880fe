// SPDX-License-Identifier: Apache-2.0
// Cell 0 after boot: it holds no vCPU and takes no lock. It sleeps, reaps the other cells, and
// interrupts what runs when the monitor asks.
#include "arch/x86_64/boot.h"
#include "arch/x86_64/host_syscall.h"
#include "core/linux_signal.h"
#include "core/panic_report.h"
#include "host/events.h"
#include "host/host_call.h"
#include "sched/scheduler.h"

namespace runhl::kernel {

namespace {

// <sys/wait.h>'s reading of a status; the header is not freestanding.
int termination_signal(int status) {
  return status & 0x7f;
}

Vcpu* vcpu_of_cell(std::int64_t pid) {
  for (std::uint32_t id = 0; id < vcpu_count(); ++id) {
    const Carrier* const carrier = vcpu(id).carrier.load();
    if (carrier != nullptr && carrier->cell.load() == pid) {
      return &vcpu(id);
    }
  }
  return nullptr;
}

/// A cell ended that the kernel did not end: the host killed it (memory) or somebody outside did.
[[noreturn]] void cell_died(const Vcpu& cpu, int status) {
  const Task* const task = cpu.current;
  const bool in_kernel =
      task->idle || task->in_syscall || task->holds_kernel_lock || !task->locks.empty();
  if (in_kernel) {
    panic_for_cell("a cell died inside the guest kernel", termination_signal(status));
  }
  // Its program was killed. It was the container's init: so was the container.
  ring_post(abi::RingOp::Exit, 0, SIGKILL);
  host::exit_group(0);
}

void reap() {
  int status = 0;
  for (;;) {
    const std::int64_t pid = host::reap_any(&status);
    if (pid <= 0) {
      return;
    }
    const Vcpu* const cpu = vcpu_of_cell(pid);
    if (cpu == nullptr) {
      continue;
    }
    if (cpu->carrier.load()->end_ordered.load()) {
      host::exit_group(0);  // the last cell: the container is over
    }
    cell_died(*cpu, status);
  }
}

void kick_all() {
  for (std::uint32_t id = 0; id < vcpu_count(); ++id) {
    kick(vcpu(id));
  }
}

}  // namespace

void cell0_loop() {
  abi::HostCallHeader& header = host_header();
  for (;;) {
    const std::uint32_t seen = __atomic_load_n(&header.cell0_word, __ATOMIC_ACQUIRE);
    reap();
    if (__atomic_load_n(&header.events, __ATOMIC_ACQUIRE) != 0) {
      kick_all();
    }
    (void)host::futex_wait(&header.cell0_word, seen, nullptr);  // EINTR, EAGAIN: look again
  }
}

}  // namespace runhl::kernel
