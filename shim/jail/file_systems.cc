// SPDX-License-Identifier: Apache-2.0
#include "jail/file_systems.h"

#include <linux/magic.h>

namespace runhl::shim {
namespace {

struct Row {
  std::uint64_t magic;
  const char* name;
};

// Numbers without a name in linux/magic.h stand in the file system's own source.
constexpr Row kRows[] = {
    {PROC_SUPER_MAGIC, "proc"},
    {SYSFS_MAGIC, "sysfs"},
    {CGROUP_SUPER_MAGIC, "cgroup"},
    {CGROUP2_SUPER_MAGIC, "cgroup2"},
    {DEBUGFS_MAGIC, "debugfs"},
    {TRACEFS_MAGIC, "tracefs"},
    {BPF_FS_MAGIC, "bpf"},
    {SECURITYFS_MAGIC, "securityfs"},
    {SELINUX_MAGIC, "selinuxfs"},
    {SMACK_MAGIC, "smackfs"},
    {DEVPTS_SUPER_MAGIC, "devpts"},
    {EFIVARFS_MAGIC, "efivarfs"},
    {PSTOREFS_MAGIC, "pstore"},
    {NSFS_MAGIC, "nsfs"},
    {SOCKFS_MAGIC, "sockfs"},
    {PIPEFS_MAGIC, "pipefs"},
    {ANON_INODE_FS_MAGIC, "anon_inodefs"},
    {RDTGROUP_SUPER_MAGIC, "resctrl"},
    {BINFMTFS_MAGIC, "binfmt_misc"},
    {BINDERFS_SUPER_MAGIC, "binder"},
    {0x19800202, "mqueue"},      // ipc/mqueue.c
    {0x50494446, "pidfs"},       // fs/pidfs.c
    {0x62656570, "configfs"},    // fs/configfs/mount.c
    {0x65735543, "fusectl"},     // fs/fuse/control.c
    {0x67596969, "rpc_pipefs"},  // net/sunrpc/rpc_pipe.c
    {0x6e667364, "nfsd"},        // fs/nfsd/nfsctl.c
};

}  // namespace

const char* kernel_file_system(std::uint64_t magic) {
  for (const Row& row : kRows) {
    if (row.magic == magic) {
      return row.name;
    }
  }
  return nullptr;
}

}  // namespace runhl::shim
