// SPDX-License-Identifier: Apache-2.0
// Descriptors of a task, shared with others by CLONE_FILES.
//
//   const int fd = TRY(files.install(file, CloseOnExec::Yes, limit));
//   const Ref<File> file = TRY(files.get(fd));     // EBADF
#pragma once

#include <cstdint>

#include "core/result.h"
#include "fs/file.h"
#include "mm/ref.h"
#include "sched/locks.h"

namespace runhl::kernel {

enum class CloseOnExec : bool { No, Yes };

class FdTable : public RefCounted<FdTable> {
 public:
  FdTable() = default;
  FdTable(const FdTable&) = delete;
  FdTable& operator=(const FdTable&) = delete;
  ~FdTable();

  /// EBADF, also for O_PATH descriptors unless they are asked for.
  Result<Ref<File>> get(int fd);
  Result<Ref<File>> get_any(int fd);

  /// The lowest free number from `lowest` on; EMFILE from `limit` (RLIMIT_NOFILE) on.
  Result<int> install(Ref<File> file, CloseOnExec close_on_exec, std::uint64_t limit,
                      int lowest = 0);
  /// dup2: what was at `fd` is closed.
  Result<void> replace(int fd, Ref<File> file, CloseOnExec close_on_exec);
  Result<void> close(int fd);
  void close_range(unsigned first, unsigned last);
  void mark_range(unsigned first, unsigned last);  // CLOSE_RANGE_CLOEXEC
  Result<CloseOnExec> close_on_exec(int fd);
  Result<void> set_close_on_exec(int fd, CloseOnExec value);
  /// The lowest open one from `from` on; -1: none.
  int next_open(int from);
  /// Descriptors that there is room for, open or not.
  [[nodiscard]] std::size_t capacity();
  /// The same open files in a table of its own: fork, unshare.
  Result<Ref<FdTable>> copy();
  /// For exec.
  void close_marked();

 private:
  struct Slot {
    Ref<File> file;
    CloseOnExec close_on_exec = CloseOnExec::No;
  };
  Result<void> grow(std::size_t needed);
  Slot* slot(int fd);
  Ref<File> take(std::size_t index);

  Mutex lock_{LockRank::FdTable};
  Slot* slots_ = nullptr;
  std::size_t size_ = 0;
  std::size_t first_free_ = 0;  // none is free below
};

}  // namespace runhl::kernel
