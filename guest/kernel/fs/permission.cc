// SPDX-License-Identifier: Apache-2.0
#include "fs/permission.h"

#include <linux/capability.h>
#include <sys/stat.h>

namespace runhl::kernel {

AccessIdentity file_identity(const Credentials& credentials) {
  return {.uid = credentials.fsuid,
          .gid = credentials.fsgid,
          .capabilities = credentials.effective,
          .groups = &credentials};
}

AccessIdentity real_identity(const Credentials& credentials) {
  // Linux: a non-root real uid has no capabilities here, root has the permitted ones.
  return {.uid = credentials.uid,
          .gid = credentials.gid,
          .capabilities = credentials.uid == 0 ? credentials.permitted : 0,
          .groups = &credentials};
}

bool in_group(const AccessIdentity& who, std::uint32_t gid) {
  if (who.gid == gid) {
    return true;
  }
  for (std::uint32_t i = 0; i < who.groups->group_count; ++i) {
    if (who.groups->groups[i] == gid) {
      return true;
    }
  }
  return false;
}

Result<void> check_access(const abi::FileAttr& attr, const AccessIdentity& who,
                          std::uint32_t wanted) {
  const auto has = [&who](unsigned capability) {
    return (who.capabilities >> capability & 1) != 0;
  };
  std::uint32_t granted = attr.mode & 7;
  if (who.uid == attr.uid) {
    granted = attr.mode >> 6 & 7;
  } else if (in_group(who, attr.gid)) {
    granted = attr.mode >> 3 & 7;
  }
  const bool directory = S_ISDIR(attr.mode);
  if (has(CAP_DAC_OVERRIDE)) {
    granted |= kAccessRead | kAccessWrite;
    granted |= directory || (attr.mode & 0111) != 0 ? std::uint32_t{kAccessExecute} : 0U;
  }
  if (has(CAP_DAC_READ_SEARCH)) {
    granted |= kAccessRead;
    granted |= directory ? std::uint32_t{kAccessExecute} : 0U;
  }
  if ((wanted & ~granted) != 0) {
    return fail(EACCES);
  }
  return {};
}

}  // namespace runhl::kernel
