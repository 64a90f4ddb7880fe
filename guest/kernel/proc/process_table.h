// SPDX-License-Identifier: Apache-2.0
// All tasks and processes by number, and the changes of the family.
//
//   const ProcessTable::Guard family;                       // no sleep, no user memory inside
//   if (Process* const process = family->find_process(pid)) { ... }
//
//   const Ref<Process> process = find_process(pid);         // or: to keep it
#pragma once

#include <boost/intrusive/set.hpp>
#include <cstdint>

#include "core/result.h"
#include "proc/task.h"
#include "sched/locks.h"

namespace runhl::kernel {

class ProcessTable {
 public:
  using Numbers = boost::intrusive::set<Pid>;

  // ---- numbers; the caller holds the lock ----

  /// The next free number, which names nothing yet: the caller makes it name something before it
  /// lets go of the lock. EAGAIN: none is free. ENOMEM.
  Result<Ref<Pid>> allocate_number();
  Pid* find(std::int32_t number);
  Task* find_task(std::int32_t tid);
  /// Live ones and zombies.
  Process* find_process(std::int32_t pid);
  ProcessGroup* find_group(std::int32_t number);
  /// All numbers, ascending.
  Numbers& numbers() { return numbers_; }
  /// Tasks there are, zombies of processes included.
  [[nodiscard]] std::uint32_t task_count() const { return task_count_; }
  /// The one that was given out last.
  [[nodiscard]] std::int32_t last_number() const { return last_; }

  /// Of allocate_number(), for one that did not come to name anything.
  void free_unless_used(Pid& id);

  // ---- family; the caller holds the lock ----

  /// Names `task` by `id` and adds it to its process.
  void add_task(Process& process, Task& task, Ref<Pid> id);
  /// It has ended: its number is free unless the number is its process's.
  void remove_task(Task& task);
  /// The only task left is its process's first one from now on, and has its number.
  void take_process_number(Task& task);
  /// A process with its first task, as a child of `parent` and in `group`.
  void add_process(Process& process, Task& first, Ref<Pid> id, Process* parent,
                   Ref<ProcessGroup> group);
  /// A zombie that was waited for, or that nobody waits for. Drops the tree's count of it.
  void remove_process(Process& process);
  void set_parent(Process& child, Process& parent);

  // Groups and sessions come and go with their members.
  Result<Ref<ProcessGroup>> make_group(Ref<Pid> id, Ref<Session> session);
  Result<Ref<Session>> make_session(Ref<Pid> id);
  void move_to_group(Process& process, Ref<ProcessGroup> group);

  class [[nodiscard]] Guard {
   public:
    Guard();
    ProcessTable* operator->() const { return &table_; }
    ProcessTable& operator*() const { return table_; }

   private:
    ProcessTable& table_;
    SpinLock::Guard lock_;
  };

 private:
  void leave_group(Process& process);

  SpinLock lock_{LockRank::TaskList};
  Numbers numbers_;
  std::int32_t last_ = 0;
  std::uint32_t task_count_ = 0;
};

/// At boot; ENOMEM.
Result<void> processes_init();

/// Null: there is none.
Ref<Process> find_process(std::int32_t pid);
Ref<Task> find_task(std::int32_t tid);

}  // namespace runhl::kernel
