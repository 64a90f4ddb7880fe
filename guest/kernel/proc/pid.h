// SPDX-License-Identifier: Apache-2.0
// A number that names a task, a process, a group, a session, or several of them. While it names
// anything it is not given out again; a Ref<Pid> survives that and then names nothing.
#pragma once

#include <boost/intrusive/set_hook.hpp>
#include <cstdint>

#include "mm/ref.h"

namespace runhl::kernel {

struct Process;
struct ProcessGroup;
struct Session;
struct Task;

struct Pid : RefCounted<Pid>, boost::intrusive::set_base_hook<> {
  explicit Pid(std::int32_t value) : number(value) {}

  const std::int32_t number;
  // Guarded by the process table's lock.
  Task* task = nullptr;
  Process* process = nullptr;
  ProcessGroup* group = nullptr;
  Session* session = nullptr;

  [[nodiscard]] bool names_nothing() const {
    return task == nullptr && process == nullptr && group == nullptr && session == nullptr;
  }
  friend bool operator<(const Pid& a, const Pid& b) { return a.number < b.number; }
};

}  // namespace runhl::kernel
