// SPDX-License-Identifier: Apache-2.0
// Pseudo terminals: /dev/ptmx makes a pair, whose program side is /dev/pts/N.
#pragma once

#include <cstdint>

#include "fs/file.h"
#include "fs/tty/tty.h"

namespace runhl::kernel {

// Linux Documentation/admin-guide/devices.txt.
inline constexpr std::uint32_t kTerminalMajor = 5;  // 0 tty, 1 console, 2 ptmx
inline constexpr std::uint32_t kPtsMajor = 136;     // and the seven behind it: 256 minors each

/// The pairs there are. One file system, however often devpts is mounted.
class PtyTable {
 public:
  static constexpr std::uint32_t kMost = 4096;  // Linux /proc/sys/kernel/pty/max

  static PtyTable& instance();

  /// The lowest free number; ENOSPC.
  Result<Ref<Tty>> create();
  void remove(Tty& tty);
  Ref<Tty> find(std::uint32_t index);
  /// The next one from `from` on; kMost: none.
  std::uint32_t next(std::uint32_t from);
  [[nodiscard]] std::uint32_t count();

 private:
  SpinLock lock_{LockRank::Pipe};
  std::uint32_t count_ = 0;
};

/// Opens of device nodes. ENXIO: there is none of this number; EIO, EBUSY: see Tty::note_open.
Result<Ref<File>> open_ptmx(std::uint32_t flags, Mount& mount);
Result<Ref<File>> open_pts(std::uint32_t index, const abi::FileAttr& attr, std::uint32_t flags,
                           Mount* mount);
Result<Ref<File>> open_controlling_terminal(const abi::FileAttr& attr, std::uint32_t flags,
                                            Mount* mount);

/// The group and permissions of new terminals, as the first devpts mount says.
struct PtyDefaults {
  std::uint32_t gid = 0, mode = 0600;
};
PtyDefaults& pty_defaults();

}  // namespace runhl::kernel
