// SPDX-License-Identifier: Apache-2.0
#include "mm/file_cuts.h"

#include <atomic>

#include "mm/address_space.h"
#include "proc/task.h"
#include "sched/scheduler.h"

namespace runhl::kernel {

namespace {
constinit std::atomic<std::uint32_t> g_cuts{0};
}  // namespace

std::uint32_t file_cut_count() {
  return g_cuts.load(std::memory_order_acquire);
}

void mapped_file_was_cut() {
  g_cuts.fetch_add(1, std::memory_order_release);
  // A task that is switched to looks anyway.
  this_cpu().raise(kPendSignal);
  for (std::uint32_t id = 0; id < vcpu_count(); ++id) {
    if (&vcpu(id) != &this_cpu()) {
      kick(vcpu(id));
    }
  }
}

void mend_cut_mappings() {
  AddressSpace* const mm = current().process->mm;
  if (mm != nullptr) {
    mm->mend_cut_files();
  }
}

}  // namespace runhl::kernel
