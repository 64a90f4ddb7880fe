// SPDX-License-Identifier: Apache-2.0
#include "proc/cell_death.h"

#include <utility>

#include "arch/x86_64/carrier_slots.h"
#include "core/linux_signal.h"
#include "core/panic.h"
#include "proc/cell.h"
#include "proc/process.h"
#include "proc/process_table.h"
#include "proc/signals.h"
#include "sched/scheduler.h"

namespace runhl::kernel {

namespace {

constinit std::atomic<std::uint32_t> g_dead{0};

/// What the task that was running its program goes on with.
void killed_main() {
  process_exit(SIGKILL);
}

void kill_processes_of(const Cell& cell) {
  SignalInfo info;
  info.number = SIGKILL;
  info.code = SI_USER;
  const ProcessTable::Guard family;
  for (Pid& id : family->numbers()) {
    if (id.process != nullptr && id.process->cell == &cell) {
      // Out of memory: it dies of its first fault instead.
      (void)signal_send_locked(*id.process, info, Origin::Host);
    }
  }
}

void bury(Carrier& carrier) {
  const Ref<Cell> cell(std::exchange(carrier.home, nullptr), false);
  Task* const running = std::exchange(carrier.running, nullptr);
  const bool has_context = std::exchange(carrier.give_up_rsp, 0) != 0;
  carrier.died.store(false);
  slot_give(carrier.index);
  if (!cell_replace_carrier(*cell)) {
    panic("no host process for what a killed cell left");
  }
  kill_processes_of(*cell);
  if (running != nullptr && has_context) {
    task_go_on(*running);
  } else if (running != nullptr) {
    task_restart(*running, &killed_main);
  }
}

}  // namespace

void note_dead_carrier() {
  g_dead.fetch_add(1);
}

Carrier* undertaker_for(const Carrier& own) {
  if (g_dead.load(std::memory_order_relaxed) == 0) [[likely]] {
    return nullptr;
  }
  const Process* const init = container_init();
  const Cell* const cell = init != nullptr ? init->cell : nullptr;
  const bool waits = cell != nullptr && own.home != cell && cell->carrier->vcpu.load() == nullptr;
  return waits ? cell->carrier : nullptr;
}

void bury_dead_cells() {
  if (g_dead.load(std::memory_order_relaxed) == 0 || undertaker_for(this_carrier()) != nullptr) {
    return;
  }
  const std::uint32_t count = g_dead.exchange(0);
  std::uint32_t found = 0;
  for (std::uint32_t index = 0; index < slots_high_water() && found < count; ++index) {
    Carrier& carrier = carrier_in_slot(index);
    if (carrier.died.load() && !carrier.end_ordered.load()) {
      ++found;
      bury(carrier);
    }
  }
}

}  // namespace runhl::kernel
