// SPDX-License-Identifier: Apache-2.0
#include "proc/exec_credentials.h"

#include <linux/securebits.h>
#include <sys/stat.h>

namespace runhl::kernel {

ExecCredentials credentials_for_exec(const Credentials& before, const abi::FileAttr& program,
                                     bool may_gain) {
  ExecCredentials after{.credentials = before, .secure = false};
  Credentials& now = after.credentials;
  if (may_gain && (program.mode & S_ISUID) != 0) {
    now.euid = program.uid;
  }
  // Set-group-id without group execute was a mandatory-locking mark.
  if (may_gain && (program.mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP)) {
    now.egid = program.gid;
  }
  const bool changed_id = now.euid != before.euid || now.egid != before.egid;
  if (changed_id) {
    now.ambient = 0;
  }
  const bool root_has_all = (now.securebits & SECBIT_NOROOT) == 0;
  const bool root = root_has_all && (now.uid == 0 || now.euid == 0);
  now.permitted = root ? now.inheritable | now.bounding : now.ambient;
  now.effective = root_has_all && now.euid == 0 ? now.permitted : now.ambient;
  now.suid = now.fsuid = now.euid;
  now.sgid = now.fsgid = now.egid;
  now.securebits &= ~static_cast<std::uint32_t>(SECBIT_KEEP_CAPS);
  after.secure = now.uid != now.euid || now.gid != now.egid ||
                 (now.uid != 0 && (now.effective & ~now.ambient) != 0);
  return after;
}

}  // namespace runhl::kernel
