// SPDX-License-Identifier: Apache-2.0
// flock(2) and the record locks of fcntl(2), between the processes of the guest and then on the
// host, so that containers on one volume exclude each other.
//
//   TRY(lock_file(*file, LockRequest{.owner = posix_owner(), .range = ..., .type = ...}, wait));
//
//   guest: who holds which range of which inode     host: one union of them all per inode
//     P1 read  [0,9]   P2 read [5,20]         ->      read [0,20]   on a descriptor of ours
//
// The guest decides first; what it grants, it asks the host for, whose locks belong to the open
// file. All of an inode's locks go to one descriptor (one for each access mode where no file was
// open for both), or the guest would shut itself out. While the host says no the task asks again,
// less and less often; a signal ends the wait.
#pragma once

#include <boost/intrusive/list.hpp>
#include <cstdint>

#include "core/result.h"
#include "fs/file.h"

namespace runhl::kernel {

class FdTable;

enum class FileLockKind : std::uint8_t {
  Posix,  // of a process: fcntl(F_SETLK)
  Open,   // of an open file: fcntl(F_OFD_SETLK)
  Flock,  // of an open file, the whole of it; knows nothing of the other two
};
enum class LockType : std::uint8_t { None, Shared, Exclusive };

struct LockOwner {
  FileLockKind kind = FileLockKind::Posix;
  const void* id = nullptr;  // the descriptor table (as on Linux), or the open file
  std::int32_t pid = -1;     // for F_GETLK; -1 of open files

  friend bool operator==(const LockOwner& a, const LockOwner& b) {
    return a.kind == b.kind && a.id == b.id;
  }
};

struct LockRange {
  static constexpr std::uint64_t kEnd = INT64_MAX;
  std::uint64_t start = 0, end = kEnd;  // both included

  [[nodiscard]] bool overlaps(const LockRange& other) const {
    return start <= other.end && other.start <= end;
  }
};

struct LockRequest {
  LockOwner owner{};
  LockRange range{};
  LockType type = LockType::None;
};

enum class LockWait : bool { No, Yes };
/// Sets, changes or (None) gives up a lock. EAGAIN, EDEADLK, EINTR, ENOMEM; the host's errors.
Result<void> lock_file(File& file, const LockRequest& request, LockWait wait);
/// A lock of the requester's own in the range; type None: there is none.
Result<LockRequest> find_own_lock(File& file, const LockRequest& request);
/// The lock that stands in the way of `request`; type None: there is none.
Result<LockRequest> find_conflict(File& file, const LockRequest& request);

/// A descriptor of `file` in `table` was closed: Linux gives up all the table's POSIX locks of that
/// inode then.
void release_posix_locks(const FdTable& table, File& file);
/// The open file ends.
void release_open_locks(const File& file);

}  // namespace runhl::kernel
