// SPDX-License-Identifier: Apache-2.0
#include "proc/shared_parts.h"

#include <utility>

#include "fs/fd_table.h"
#include "fs/fs_context.h"
#include "proc/cell.h"
#include "proc/process_table.h"

namespace runhl::kernel {

namespace {

/// `part` holds a count; it becomes a copy of what it was, unless it is the only one's.
template <typename T>
Result<void> make_own(T*& part) {
  if (part->use_count() > 1) {
    T* const copy = TRY(part->copy()).detach();
    const Ref<T> shared(std::exchange(part, copy), false);  // our count of it
  }
  return {};
}

}  // namespace

Result<void> own_files(Task& task) {
  return make_own(task.files);
}

Result<void> own_place(Task& task) {
  return make_own(task.fs);
}

void drop_files(Task& task) {
  const Ref<FdTable> files(std::exchange(task.files, nullptr), false);
  const Ref<FsContext> fs(std::exchange(task.fs, nullptr), false);
}

bool is_alone(const Task& task) {
  const ProcessTable::Guard family;
  return task.process->tasks.size() == 1 && task.process->cell->processes == 1;
}

}  // namespace runhl::kernel
