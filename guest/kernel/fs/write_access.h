// SPDX-License-Identifier: Apache-2.0
// Files that are open for writing and files that run as programs exclude each other (ETXTBSY), by
// inode and among the processes of this guest. Linux's i_writecount: positive while there are
// writers, negative while programs run from it.
//
//   WriteHold hold = TRY(WriteHold::create(inode_key(attr), WriteHold::Kind::Writer));
//   ...                                             // until `hold` goes
//
// Writers take turns: a write gives way to others in the middle (sched/long_work.h), but not to
// another write of the same file.
//
//   const Mutex::Guard guard(hold.turn());
#pragma once

#include <utility>

#include "core/result.h"
#include "fs/inode_object.h"
#include "sched/locks.h"

namespace runhl::kernel {

class WriteHold {
 public:
  enum class Kind : std::uint8_t {
    Writer,
    Program,
    Unseen,  // a writer that keeps no program from running
  };
  struct Count;

  /// ETXTBSY: the other kind has it.
  static Result<WriteHold> create(const InodeKey& key, Kind kind);
  WriteHold() = default;
  WriteHold(const WriteHold&) = delete;
  WriteHold& operator=(const WriteHold&) = delete;
  WriteHold(WriteHold&& other) noexcept
      : count_(std::exchange(other.count_, nullptr)), kind_(other.kind_) {}
  WriteHold& operator=(WriteHold&& other) noexcept {
    std::swap(count_, other.count_);
    std::swap(kind_, other.kind_);
    return *this;
  }
  ~WriteHold();

  [[nodiscard]] bool is_held() const { return count_ != nullptr; }
  /// Of what is held.
  [[nodiscard]] Mutex& turn() const;

 private:
  WriteHold(Count& count, Kind kind) : count_(&count), kind_(kind) {}

  Count* count_ = nullptr;  // null: nothing is held
  Kind kind_ = Kind::Writer;
};

/// A program runs from it.
bool runs_as_program(const InodeKey& key);

}  // namespace runhl::kernel
