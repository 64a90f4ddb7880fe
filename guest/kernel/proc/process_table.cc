// SPDX-License-Identifier: Apache-2.0
#include "proc/process_table.h"

#include <poll.h>

#include <utility>

#include "core/panic.h"
#include "mm/heap.h"
#include "proc/program_image.h"

namespace runhl::kernel {

namespace {

// As Linux: numbers below are given out once, by the first round (include/linux/pid.h), and the
// default maximum of a small machine.
constexpr std::int32_t kReservedNumbers = 300;
constexpr std::int32_t kNumberLimit = 32'768;

constinit ProcessTable* g_processes = nullptr;  // written once, by processes_init

struct NumberLess {
  bool operator()(std::int32_t a, const Pid& b) const { return a < b.number; }
  bool operator()(const Pid& a, std::int32_t b) const { return a.number < b; }
};

}  // namespace

Result<void> processes_init() {
  g_processes = TRY(make<ProcessTable>()).release();
  return {};
}

ProcessTable::Guard::Guard() : table_(*g_processes), lock_(table_.lock_) {}

Pid* ProcessTable::find(std::int32_t number) {
  const auto at = numbers_.find(number, NumberLess{});
  return at == numbers_.end() ? nullptr : &*at;
}

Task* ProcessTable::find_task(std::int32_t tid) {
  Pid* const id = find(tid);
  return id == nullptr ? nullptr : id->task;
}

Process* ProcessTable::find_process(std::int32_t pid) {
  Pid* const id = find(pid);
  return id == nullptr ? nullptr : id->process;
}

ProcessGroup* ProcessTable::find_group(std::int32_t number) {
  Pid* const id = find(number);
  return id == nullptr ? nullptr : id->group;
}

Result<Ref<Pid>> ProcessTable::allocate_number() {
  std::int32_t number = last_ + 1;
  auto next_used = numbers_.lower_bound(number, NumberLess{});
  for (std::int32_t tried = 0; tried < kNumberLimit; ++tried, ++number) {
    if (number >= kNumberLimit) {
      number = kReservedNumbers;
      next_used = numbers_.lower_bound(number, NumberLess{});
    }
    if (next_used != numbers_.end() && next_used->number == number) {
      ++next_used;
      continue;
    }
    Ref<Pid> id = TRY(make_ref<Pid>(number));
    numbers_.insert(*id);
    intrusive_ptr_add_ref(id.get());  // the table's own, until the number names nothing
    last_ = number;
    return id;
  }
  return fail(EAGAIN);
}

void ProcessTable::free_unless_used(Pid& id) {
  if (id.names_nothing() && id.is_linked()) {
    numbers_.erase(numbers_.iterator_to(id));
    intrusive_ptr_release(&id);
  }
}

void ProcessTable::add_task(Process& process, Task& task, Ref<Pid> id) {
  KERNEL_CHECK(id->task == nullptr);
  id->task = &task;
  task.tid = id->number;
  task.id = std::move(id);
  task.process = &process;
  intrusive_ptr_add_ref(&process);  // the task's
  process.tasks.push_back(task);
  intrusive_ptr_add_ref(&task);  // the list's
  ++task_count_;
}

void ProcessTable::remove_task(Task& task) {
  task.process->last_name = task.name;
  task.process->last_credentials = task.credentials;
  task.id->task = nullptr;
  task.process->ends.notify(POLLIN | POLLRDNORM | POLLHUP);  // of pidfds of threads
  free_unless_used(*task.id);
  task.process->tasks.erase(task.process->tasks.iterator_to(task));
  --task_count_;
  intrusive_ptr_release(&task);
}

void ProcessTable::take_process_number(Task& task) {
  Process& process = *task.process;
  if (task.id == process.id) {
    return;
  }
  task.id->task = nullptr;
  process.ends.notify(POLLIN | POLLRDNORM | POLLHUP);
  free_unless_used(*task.id);
  task.id = process.id;
  task.id->task = &task;
  task.tid = process.pid;
}

void ProcessTable::add_process(Process& process, Task& first, Ref<Pid> id, Process* parent,
                               Ref<ProcessGroup> group) {
  process.pid = id->number;
  process.id = id;
  id->process = &process;
  process.start_time = monotonic_now();
  if (const Process* const maker = current().process) {
    process.image = maker->image;
    process.oom_adjust = maker->oom_adjust;
    process.oom_adjust_lowest = maker->oom_adjust_lowest;
  }
  add_task(process, first, std::move(id));
  intrusive_ptr_add_ref(&process);  // the tree's
  if (parent != nullptr) {
    process.parent = parent;
    parent->children.push_back(process);
  }
  process.group = std::move(group);
  process.group->members.push_back(process);
}

void ProcessTable::remove_process(Process& process) {
  process.state = ProcessState::Reaped;
  process.ends.notify(POLLIN | POLLRDNORM | POLLHUP);
  if (process.parent != nullptr) {
    process.parent->children.erase(process.parent->children.iterator_to(process));
    process.parent = nullptr;
  }
  leave_group(process);
  process.id->process = nullptr;
  free_unless_used(*process.id);
  intrusive_ptr_release(&process);
}

void ProcessTable::set_parent(Process& child, Process& parent) {
  child.parent->children.erase(child.parent->children.iterator_to(child));
  child.parent = &parent;
  parent.children.push_back(child);
}

Result<Ref<Session>> ProcessTable::make_session(Ref<Pid> id) {
  Ref<Session> session = TRY(make_ref<Session>());
  id->session = session.get();
  session->id = std::move(id);
  return session;
}

Result<Ref<ProcessGroup>> ProcessTable::make_group(Ref<Pid> id, Ref<Session> session) {
  Ref<ProcessGroup> group = TRY(make_ref<ProcessGroup>());
  id->group = group.get();
  group->id = std::move(id);
  ++session->groups;
  group->session = std::move(session);
  return group;
}

void ProcessTable::leave_group(Process& process) {
  const Ref<ProcessGroup> group = std::exchange(process.group, nullptr);
  group->members.erase(group->members.iterator_to(process));
  if (!group->members.empty()) {
    return;
  }
  group->id->group = nullptr;
  Session& session = *group->session;
  if (--session.groups == 0) {
    session.id->session = nullptr;
    free_unless_used(*session.id);
  }
  free_unless_used(*group->id);
}

void ProcessTable::move_to_group(Process& process, Ref<ProcessGroup> group) {
  if (process.group == group) {
    return;
  }
  leave_group(process);
  process.group = std::move(group);
  process.group->members.push_back(process);
}

Ref<Process> find_process(std::int32_t pid) {
  const ProcessTable::Guard family;
  return Ref<Process>(family->find_process(pid));
}

Ref<Task> find_task(std::int32_t tid) {
  const ProcessTable::Guard family;
  return Ref<Task>(family->find_task(tid));
}

}  // namespace runhl::kernel
