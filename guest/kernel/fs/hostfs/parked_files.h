// SPDX-License-Identifier: Apache-2.0
// Files that were opened for reading and are closed, kept open on the host for the next open: what
// a shell's loop executes and loads each time (program, loader, libraries) then costs no trip, and
// keeps its place in the cells' descriptor table.
//
// An open takes one up while the name cache vouches for name and attributes
// (fs/hostfs/name_cache.h), the file was not changed since, and the host let the same identity open
// it. So it sees what an open within the cache's validity may see, and no data is kept: reads and
// mappings are of the host's file as ever. A parked file belongs to nobody: no lock, no writable
// mapping was made with it.
#pragma once

#include <boost/intrusive/list.hpp>
#include <cstdint>
#include <optional>

#include "mm/heap.h"
#include "runhl/abi/ring.h"
#include "sched/locks.h"
#include "sched/wait.h"

namespace runhl::kernel {

/// What a HostNode knows of its file on the host.
struct HostFile {
  abi::Handle handle = -1;
  bool injected = false;    // perhaps: InjectedFiles has heard of it
  bool may_window = false;  // a regular file whose pages may be mapped
  std::uint32_t reads = 0;  // by trips
  std::uint64_t read_bytes = 0;
  std::uint64_t window_serial = 0;  // != 0: there may be windows
  std::uint64_t size = 0;           // known until:
  Nanoseconds size_until = 0;
  std::uint64_t size_stamp = 0;
};

class ParkedFiles {
 public:
  ParkedFiles() = default;
  ParkedFiles(const ParkedFiles&) = delete;
  ParkedFiles& operator=(const ParkedFiles&) = delete;
  ~ParkedFiles();

  /// `attr` as it was when `identity` opened the file. Returns what has to be closed in its place,
  /// perhaps the file itself.
  std::optional<HostFile> park(const HostFile& file, const abi::FileAttr& attr,
                               std::uint64_t identity);
  /// A file with these attributes, unchanged, that `identity` opened.
  std::optional<HostFile> take(const abi::FileAttr& attr, std::uint64_t identity);
  /// Of this inode, or any: to be closed, for it loses a name or somebody is going to write.
  std::optional<HostFile> take_out(const abi::FileAttr* of);

 private:
  struct Parked : boost::intrusive::list_base_hook<> {
    HostFile file;
    abi::FileAttr attr{};
    std::uint64_t identity = 0;
  };
  static constexpr std::size_t kMost = 32;

  template <typename Fits>
  Owned<Parked> remove_first(Fits fits);

  SpinLock lock_{LockRank::NameCache};
  boost::intrusive::list<Parked> parked_;  // the one parked last comes first
};

}  // namespace runhl::kernel
