// SPDX-License-Identifier: Apache-2.0
#include "proc/cell.h"

#include <linux/sched.h>

#include <utility>

#include "arch/x86_64/carrier.h"
#include "arch/x86_64/carrier_slots.h"
#include "arch/x86_64/host_syscall.h"
#include "arch/x86_64/rewrite.h"
#include "core/linux_signal.h"
#include "host/cell0.h"
#include "host/events.h"
#include "proc/process.h"
#include "proc/process_table.h"
#include "sched/scheduler.h"

namespace runhl::kernel {

namespace {

/// First code of every cell but cell 0 and 1, on its own idle stack.
[[noreturn]] void cell_main() {
  // Before anything else: %gs and the signal stack still name those of the cell that was cloned.
  carrier_adopt(carrier_of_stack());
  carrier_loop();
}

/// Process and task hold a count each; what they held goes.
void set_cell(Process& process, Task& task, const Ref<Cell>& cell) {
  const Ref<Cell> of_process(std::exchange(process.cell, Ref<Cell>(cell).detach()), false);
  const Ref<Cell> of_task(std::exchange(task.cell, Ref<Cell>(cell).detach()), false);
  process.mm = cell->mm.get();
  process.rewriter = cell->rewriter;
}

/// A carrier in a free slot, whose host process `clone` makes: its pid, or -errno.
template <typename Clone>
Result<void> add_carrier(Cell& cell, Clone clone) {
  const std::uint32_t index = TRY(slot_take());
  Carrier& carrier = carrier_init(index, nullptr, &cell);
  const std::int64_t pid = clone(index);
  if (pid < 0) {
    slot_give(index);
    return fail(static_cast<int>(-pid));
  }
  Ref<Cell> of_carrier(&cell);
  cell.carrier = &carrier;
  if (!carrier_publish(carrier, static_cast<std::int32_t>(pid))) {
    cell.carrier = nullptr;
    return fail(EAGAIN);  // killed by the host before it began
  }
  of_carrier.detach();
  return {};
}

/// Cells that have ended count on the host until cell 0 has reaped them.
std::int64_t clone_running_cell(std::uint32_t slot) {
  constexpr std::uint64_t kFlags = SIGCHLD | CLONE_FILES | CLONE_PARENT | CLONE_PARENT_SETTID;
  constexpr unsigned kTries = 20;
  for (unsigned tried = 0;; ++tried) {
    std::int32_t told = 0;  // before the child runs
    const std::int64_t pid =
        runhl_clone_running_cell(kFlags, idle_stack_top(slot), &cell_main, &told);
    if (pid == -EOWNERDEAD && told != 0) {
      return told;  // this cell died, but not before the other was there
    }
    if (pid != -EAGAIN || tried == kTries) {
      return pid;
    }
    cell0_reap_now();
  }
}

}  // namespace

Cell::~Cell() {
  rewriter_destroy(rewriter);
}

Result<Ref<Cell>> cell_create(Process& process) {
  Ref<Cell> cell = TRY(make_ref<Cell>());
  cell->limits = Ref<Process>(&process);
  cell->mm = TRY(make<AddressSpace>(process.rlimits));
  if ((monitor_page().flags & abi::kNoRewriting) == 0) {
    cell->rewriter = TRY(rewriter_create());
  }
  return cell;
}

void cell_enter(Cell& cell, Process& process, Task& task) {
  {
    const ProcessTable::Guard family;
    ++cell.processes;
  }
  set_cell(process, task, Ref<Cell>(&cell));
}

Result<Ref<Cell>> cell_fork(Process& child) {
  Cell& own = *current().cell;
  Ref<Cell> cell = TRY(make_ref<Cell>());
  cell->limits = Ref<Process>(&child);
  if (own.rewriter != nullptr) {
    rewriter_prepare_fork(*own.rewriter);
  }
  const Mutex::Guard guard(own.mm->fork_lock());
  cell->mm = TRY(own.mm->clone_for_fork(child.rlimits));
  if (own.rewriter != nullptr) {
    cell->rewriter = TRY(rewriter_clone(*own.rewriter));
  }
  TRY(add_carrier(*cell, [](std::uint32_t slot) { return clone_running_cell(slot); }));
  cell->carrier->gs_user = this_carrier().gs_user;
  return cell;
}

Result<void> cell_move_out() {
  Task& task = current();
  Process& process = *task.process;
  const Ref<Cell> cell = TRY(cell_create(process));
  TRY(add_carrier(*cell, [](std::uint32_t slot) { return cell0_spawn(slot, &cell_main); }));
  release_memory(task);
  // The program's FPU state is over with the old image.
  Carrier& carrier = this_carrier();
  if (carrier.fpu_owner == &task) {
    carrier.fpu_owner = nullptr;
  }
  const Ref<Cell> old(task.cell);
  cell_leave(process);
  cell_enter(*cell, process, task);
  cell_end_if_empty(*old);  // the parent has ended meanwhile
  migrate();
  return {};
}

Result<void> cell_replace_carrier(Cell& cell) {
  return add_carrier(cell, [](std::uint32_t slot) { return cell0_spawn(slot, &cell_main); });
}

void cell_leave(Process& process) {
  // Its count goes with it: the cell in turn holds one of the process, for its limits.
  const Ref<Cell> cell(std::exchange(process.cell, nullptr), false);
  process.mm = nullptr;
  process.rewriter = nullptr;
  bool last = false;
  {
    const ProcessTable::Guard family;
    last = --cell->processes == 0;
  }
  if (last) {
    cell->mm.reset();  // the host frees the pages with the process
  }
}

void cell_end_if_empty(Cell& cell) {
  const ProcessTable::Guard family;
  if (cell.processes == 0) {
    this_carrier().end_ordered.store(true);
  }
}

}  // namespace runhl::kernel
