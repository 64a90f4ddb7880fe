// SPDX-License-Identifier: Apache-2.0
// sched/lock_host.h over std::thread: every thread is a task on a vCPU of its own.
#include <thread>

#include "core/parallel.h"
#include "sched/lock_host.h"

namespace runhl::kernel {

constinit bool g_parallel = true;

namespace lock_host {

namespace {
thread_local LockTrace t_trace;
thread_local bool t_kernel_lock = false;
}  // namespace

void relax() {
  std::this_thread::yield();
}
LockTrace* trace() {
  return &t_trace;
}
bool* kernel_lock_flag() {
  return &t_kernel_lock;
}
void wait_word(std::uint32_t& word, std::uint32_t expected) {
  if (__atomic_load_n(&word, __ATOMIC_ACQUIRE) == expected) {
    std::this_thread::yield();
  }
}
void wake_word(std::uint32_t&) {}

}  // namespace lock_host
}  // namespace runhl::kernel
