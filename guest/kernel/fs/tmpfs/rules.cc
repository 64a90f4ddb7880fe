// SPDX-License-Identifier: Apache-2.0
#include "fs/tmpfs/rules.h"

#include <linux/capability.h>
#include <sys/stat.h>

#include "fs/permission.h"
#include "host/clock.h"
#include "proc/task.h"

namespace runhl::kernel {

abi::Timestamp file_time_now() {
  const __kernel_timespec time = to_timespec(realtime_now());
  return {.seconds = time.tv_sec,
          .nanoseconds = static_cast<std::uint32_t>(time.tv_nsec),
          .reserved = 0};
}

Result<void> require_access(const abi::FileAttr& attr, std::uint32_t access) {
  return check_access(attr, file_identity(current().credentials), access);
}

bool owns_file(const abi::FileAttr& attr) {
  const Credentials& who = current().credentials;
  return who.fsuid == attr.uid || who.has(CAP_FOWNER);
}

Result<void> check_sticky(const abi::FileAttr& parent, const abi::FileAttr& file) {
  const Credentials& who = current().credentials;
  if ((parent.mode & S_ISVTX) != 0 && who.fsuid != file.uid && who.fsuid != parent.uid &&
      !who.has(CAP_FOWNER)) {
    return fail(EPERM);
  }
  return {};
}

}  // namespace runhl::kernel
