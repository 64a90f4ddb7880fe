// SPDX-License-Identifier: Apache-2.0
// A cell as the guest kernel sees it: one address space in a host process of its own, executed by
// its carriers (one for now). A process lives in one cell; processes made with CLONE_VM share one
// until they execute a program.
//
//   fork            the running cell clones itself; the host copies its memory on write
//   exec, shared    a clone of cell 0, which has the window alone; the task moves there
//   exec, alone     in place
//   last one ends   the host process ends by itself and cell 0 reaps it
#pragma once

#include <cstdint>
#include <memory>

#include "core/result.h"
#include "mm/address_space.h"
#include "mm/ref.h"
#include "proc/task.h"

namespace runhl::kernel {

struct Carrier;  // arch/x86_64/carrier.h

struct Cell : RefCounted<Cell> {
  Cell() = default;
  Cell(const Cell&) = delete;
  Cell& operator=(const Cell&) = delete;
  ~Cell();

  std::unique_ptr<AddressSpace> mm;  // null from the end of its last process on
  Rewriter* rewriter = nullptr;      // null: nothing is rewritten
  Ref<Process> limits;               // whose limits bind mm
  Carrier* carrier = nullptr;        // holds a count of this cell in turn
  std::uint32_t processes = 0;       // that live here; guarded by the process table's lock
};

/// With an empty address space for `process`, and no carrier yet.
Result<Ref<Cell>> cell_create(Process& process);

/// `process` and `task`, which have no cell, live in `cell` from now on.
void cell_enter(Cell& cell, Process& process, Task& task);

/// The host process of a forked child: a clone of the running cell, which is the parent's. The
/// child has the parent's mappings. No lock held. Errors: EAGAIN, ENOMEM.
Result<Ref<Cell>> cell_fork(Process& child);

/// A cell of its own for the current task, whose process shares one: it goes on there, with an
/// empty address space. Errors: EAGAIN, ENOMEM; then nothing has changed.
Result<void> cell_move_out();

/// After the death of the host process: an empty one for the tasks to end in. Errors: EAGAIN.
Result<void> cell_replace_carrier(Cell& cell);

/// The current process ends or has moved on. The last one ends the cell's memory.
void cell_leave(Process& process);
/// The current task is the last of its process to run here: with the last process the carrier ends
/// as soon as the task has left its stack.
void cell_end_if_empty(Cell& cell);

}  // namespace runhl::kernel
