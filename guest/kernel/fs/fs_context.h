// SPDX-License-Identifier: Apache-2.0
// Where a task stands in the file system: root, working directory, umask. Shared with others by
// CLONE_FS.
#pragma once

#include <atomic>
#include <cstdint>

#include "core/result.h"
#include "fs/mount.h"
#include "mm/ref.h"
#include "sched/locks.h"

namespace runhl::kernel {

class FsContext : public RefCounted<FsContext> {
 public:
  explicit FsContext(Ref<Directory> root) : root_(std::move(root)), cwd_(root_) {}

  /// The same place, to move from alone: fork, unshare.
  Result<Ref<FsContext>> copy() {
    const Mutex::Guard guard(lock_);
    Ref<FsContext> copy = TRY(make_ref<FsContext>(root_));
    copy->cwd_ = cwd_;
    copy->root_changed_.store(root_changed());
    copy->set_umask(umask());
    return copy;
  }
  [[nodiscard]] Ref<Directory> root() {
    const Mutex::Guard guard(lock_);
    return root_;
  }
  /// chroot(2).
  void set_root(Ref<Directory> root) {
    const Mutex::Guard guard(lock_);
    root_.swap(root);
    root_changed_.store(true, std::memory_order_relaxed);
  }
  /// The root is not the mount tree's: ".." stops there, getcwd begins there.
  [[nodiscard]] bool root_changed() const { return root_changed_.load(std::memory_order_relaxed); }
  [[nodiscard]] Ref<Directory> cwd() {
    const Mutex::Guard guard(lock_);
    return cwd_;
  }
  void set_cwd(Ref<Directory> cwd) {
    // The old one is released after the lock, by its new holder's end.
    const Mutex::Guard guard(lock_);
    cwd_.swap(cwd);
  }
  [[nodiscard]] std::uint32_t umask() const { return umask_.load(std::memory_order_relaxed); }
  std::uint32_t set_umask(std::uint32_t mask) {
    return umask_.exchange(mask & 0777, std::memory_order_relaxed);
  }

 private:
  Mutex lock_{LockRank::FdTable};
  Ref<Directory> root_;
  Ref<Directory> cwd_;
  std::atomic<bool> root_changed_{false};
  std::atomic<std::uint32_t> umask_{022};
};

}  // namespace runhl::kernel
