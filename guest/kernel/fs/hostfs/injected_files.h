// SPDX-License-Identifier: Apache-2.0
// Which host file lies in which of the cells' descriptor slots: a cache in the order of last use.
// A slot that is wanted for another file is simply injected over; mappings made from it stay.
#pragma once

#include <array>
#include <atomic>
#include <boost/intrusive/list.hpp>
#include <cstdint>

#include "core/result.h"
#include "runhl/abi/layout.h"
#include "runhl/abi/ring.h"
#include "sched/locks.h"

namespace runhl::kernel {

class InjectedFiles {
 public:
  InjectedFiles() {}  // NOLINT(modernize-use-equals-default): a member of a union is not made
  InjectedFiles(const InjectedFiles&) = delete;
  InjectedFiles& operator=(const InjectedFiles&) = delete;
  ~InjectedFiles() {}  // NOLINT(modernize-use-equals-default): as above

  /// The slot of an open file, injected now unless it is there. The caller maps it at once: with
  /// hundreds of slots in order of use, it is not taken away in between.
  Result<int> slot_for(abi::Handle handle, bool writable);
  /// A slot for an Open that injects; then adopt() or give_back().
  int reserve();
  void adopt(int slot, abi::Handle handle);
  void give_back(int slot);
  /// A number of an open file's own, never given again.
  std::uint64_t next_serial() { return serials_.fetch_add(1, std::memory_order_relaxed) + 1; }
  /// The file is closed.
  void forget(abi::Handle handle);

 private:
  struct Slot : boost::intrusive::list_base_hook<> {
    abi::Handle handle = -1;  // -1: free
    bool writable = false;
  };
  static constexpr int kCount = abi::kFdInjectedLast - abi::kFdInjectedFirst + 1;

  [[nodiscard]] int number_of(const Slot& slot) const {
    return abi::kFdInjectedFirst + static_cast<int>(&slot - slots_.data());
  }
  Slot& take_oldest();
  void touch(Slot& slot);

  std::atomic<std::uint64_t> serials_{0};
  Mutex lock_{LockRank::Inode};
  std::size_t begun_ = 0;  // slots that were made; most never are, and their memory is not touched
  union {
    std::array<Slot, kCount> slots_;
  };
  boost::intrusive::list<Slot> by_use_;  // free ones, then the oldest
};

}  // namespace runhl::kernel
