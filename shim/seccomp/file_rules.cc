// SPDX-License-Identifier: Apache-2.0
#include <linux/landlock.h>

#include <algorithm>

#include "runhl/shim/monitor_filter.h"

namespace runhl::shim {
namespace {

constexpr int kFirstWithRefer = 2;     // Linux 5.19: renames between directories
constexpr int kFirstWithTruncate = 3;  // Linux 6.2

// Younger than Debian 12's headers.
constexpr std::uint64_t kTruncate = 1ULL << 14;  // LANDLOCK_ACCESS_FS_TRUNCATE

constexpr std::uint64_t kReadFile = LANDLOCK_ACCESS_FS_READ_FILE;
constexpr std::uint64_t kRead = kReadFile | LANDLOCK_ACCESS_FS_READ_DIR;
constexpr std::uint64_t kWriteFile = LANDLOCK_ACCESS_FS_WRITE_FILE | kTruncate;
constexpr std::uint64_t kChangeDirectory =
    LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR |
    LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK |
    LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM |
    LANDLOCK_ACCESS_FS_REFER;

/// All that the host can judge. EXECUTE is in it and granted nowhere: the monitor runs no program.
std::uint64_t handled(int abi) {
  const std::uint64_t all = LANDLOCK_ACCESS_FS_EXECUTE | kRead | kWriteFile | kChangeDirectory;
  return abi >= kFirstWithTruncate ? all : all & ~kTruncate;
}

std::uint64_t granted(const vmm::GrantedTree& tree) {
  if (!tree.directory) {  // the host takes no rights of directories for a file
    return kReadFile | (tree.read_only ? 0 : kWriteFile);
  }
  return kRead | (tree.read_only ? 0 : kWriteFile | kChangeDirectory);
}

}  // namespace

std::string missing_file_rules(Sys& sys) {
  const int abi = sys.landlock_abi();
  if (abi >= kFirstWithRefer) {
    return {};
  }
  return abi == 0 ? "no Landlock: the jail alone keeps the monitor's files"
                  : "Landlock is older than ABI 2: the jail alone keeps the monitor's files";
}

Result<void> confine_files(Sys& sys, const std::vector<vmm::GrantedTree>& trees) {
  const int abi = sys.landlock_abi();
  if (abi < kFirstWithRefer) {
    return {};
  }
  const UniqueFd rules = TRY(sys.landlock_create(handled(abi)));
  for (const vmm::GrantedTree& tree : trees) {
    TRY(sys.landlock_allow(rules.get(), tree.root.get(), granted(tree) & handled(abi),
                           "tree " + tree.name));
  }
  return sys.landlock_restrict(rules.get());
}

}  // namespace runhl::shim
