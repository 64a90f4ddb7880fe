// SPDX-License-Identifier: Apache-2.0
#include "sched/lock_host.h"

#include "arch/x86_64/cpu.h"
#include "arch/x86_64/host_syscall.h"
#include "core/parallel.h"
#include "sched/scheduler.h"

namespace runhl::kernel {

constinit bool g_parallel = false;

namespace lock_host {

namespace {

Task* task() {
  const Vcpu* const cpu = this_carrier().vcpu;
  return cpu == nullptr ? nullptr : cpu->current;
}

}  // namespace

void relax() {
  cpu::pause();
}
LockTrace* trace() {
  Task* const running = task();
  return running == nullptr ? nullptr : &running->locks;
}
bool* kernel_lock_flag() {
  Task* const running = task();
  return running == nullptr ? nullptr : &running->holds_kernel_lock;
}
void wait_word(std::uint32_t& word, std::uint32_t expected) {
  (void)host::futex_wait(&word, expected, nullptr);  // the caller tests again
}
void wake_word(std::uint32_t& word) {
  (void)host::futex_wake(&word, 1);
}

}  // namespace lock_host
}  // namespace runhl::kernel
