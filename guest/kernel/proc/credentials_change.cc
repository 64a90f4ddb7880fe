// SPDX-License-Identifier: Apache-2.0
#include "proc/credentials_change.h"

#include <linux/capability.h>
#include <linux/securebits.h>

namespace runhl::kernel {

namespace {

// What leaving or entering fsuid 0 takes from or gives to the effective set (CAP_FS_MASK).
constexpr std::uint64_t kFileCapabilities = 1ULL << CAP_CHOWN | 1ULL << CAP_DAC_OVERRIDE |
                                            1ULL << CAP_DAC_READ_SEARCH | 1ULL << CAP_FOWNER |
                                            1ULL << CAP_FSETID | 1ULL << CAP_LINUX_IMMUTABLE |
                                            1ULL << CAP_MKNOD | 1ULL << CAP_MAC_OVERRIDE;

struct Ids {
  std::uint32_t real, effective, saved;
};

bool one_of(std::uint32_t id, const Ids& ids) {
  return id == ids.real || id == ids.effective || id == ids.saved;
}

/// capabilities(7), "Effect of user ID changes on capabilities".
void after_uid_change(Credentials& c, const Ids& old) {
  if ((c.securebits & SECBIT_NO_SETUID_FIXUP) != 0) {
    return;
  }
  const bool had_zero = old.real == 0 || old.effective == 0 || old.saved == 0;
  const bool has_zero = c.uid == 0 || c.euid == 0 || c.suid == 0;
  if (had_zero && !has_zero) {
    if ((c.securebits & SECBIT_KEEP_CAPS) == 0) {
      c.permitted = 0;
      c.effective = 0;
    }
    c.ambient = 0;
  }
  if (old.effective == 0 && c.euid != 0) {
    c.effective = 0;
  }
  if (old.effective != 0 && c.euid == 0) {
    c.effective = c.permitted;
  }
}

}  // namespace

Result<void> change_resuid(Credentials& c, std::uint32_t ruid, std::uint32_t euid,
                           std::uint32_t suid) {
  const Ids old{c.uid, c.euid, c.suid};
  if (!c.has(CAP_SETUID)) {
    for (const std::uint32_t wanted : {ruid, euid, suid}) {
      if (wanted != kKeepId && !one_of(wanted, old)) {
        return fail(EPERM);
      }
    }
  }
  c.uid = ruid == kKeepId ? c.uid : ruid;
  c.euid = euid == kKeepId ? c.euid : euid;
  c.suid = suid == kKeepId ? c.suid : suid;
  c.fsuid = c.euid;
  after_uid_change(c, old);
  return {};
}

Result<void> change_uid(Credentials& c, std::uint32_t uid) {
  if (uid == kKeepId) {
    return fail(EINVAL);
  }
  if (c.has(CAP_SETUID)) {
    return change_resuid(c, uid, uid, uid);
  }
  if (uid != c.uid && uid != c.suid) {
    return fail(EPERM);
  }
  return change_resuid(c, kKeepId, uid, kKeepId);
}

Result<void> change_reuid(Credentials& c, std::uint32_t ruid, std::uint32_t euid) {
  if (!c.has(CAP_SETUID)) {
    const bool real_ok = ruid == kKeepId || ruid == c.uid || ruid == c.euid;
    const bool effective_ok = euid == kKeepId || one_of(euid, {c.uid, c.euid, c.suid});
    if (!real_ok || !effective_ok) {
      return fail(EPERM);
    }
  }
  const std::uint32_t new_effective = euid == kKeepId ? c.euid : euid;
  const bool saves = ruid != kKeepId || (euid != kKeepId && euid != c.uid);
  const Ids old{c.uid, c.euid, c.suid};
  c.uid = ruid == kKeepId ? c.uid : ruid;
  c.euid = c.fsuid = new_effective;
  c.suid = saves ? new_effective : c.suid;
  after_uid_change(c, old);
  return {};
}

Result<void> change_resgid(Credentials& c, std::uint32_t rgid, std::uint32_t egid,
                           std::uint32_t sgid) {
  const Ids old{c.gid, c.egid, c.sgid};
  if (!c.has(CAP_SETGID)) {
    for (const std::uint32_t wanted : {rgid, egid, sgid}) {
      if (wanted != kKeepId && !one_of(wanted, old)) {
        return fail(EPERM);
      }
    }
  }
  c.gid = rgid == kKeepId ? c.gid : rgid;
  c.egid = egid == kKeepId ? c.egid : egid;
  c.sgid = sgid == kKeepId ? c.sgid : sgid;
  c.fsgid = c.egid;
  return {};
}

Result<void> change_gid(Credentials& c, std::uint32_t gid) {
  if (gid == kKeepId) {
    return fail(EINVAL);
  }
  if (c.has(CAP_SETGID)) {
    return change_resgid(c, gid, gid, gid);
  }
  if (gid != c.gid && gid != c.sgid) {
    return fail(EPERM);
  }
  return change_resgid(c, kKeepId, gid, kKeepId);
}

Result<void> change_regid(Credentials& c, std::uint32_t rgid, std::uint32_t egid) {
  if (!c.has(CAP_SETGID)) {
    const bool real_ok = rgid == kKeepId || rgid == c.gid || rgid == c.egid;
    const bool effective_ok = egid == kKeepId || one_of(egid, {c.gid, c.egid, c.sgid});
    if (!real_ok || !effective_ok) {
      return fail(EPERM);
    }
  }
  const std::uint32_t new_effective = egid == kKeepId ? c.egid : egid;
  const bool saves = rgid != kKeepId || (egid != kKeepId && egid != c.gid);
  c.gid = rgid == kKeepId ? c.gid : rgid;
  c.egid = c.fsgid = new_effective;
  c.sgid = saves ? new_effective : c.sgid;
  return {};
}

std::uint32_t change_fsuid(Credentials& c, std::uint32_t uid) {
  const std::uint32_t old = c.fsuid;
  const bool allowed = c.has(CAP_SETUID) || uid == c.fsuid || one_of(uid, {c.uid, c.euid, c.suid});
  if (uid == kKeepId || !allowed) {
    return old;
  }
  c.fsuid = uid;
  if ((c.securebits & SECBIT_NO_SETUID_FIXUP) == 0) {
    if (old == 0 && uid != 0) {
      c.effective &= ~kFileCapabilities;
    } else if (old != 0 && uid == 0) {
      c.effective |= c.permitted & kFileCapabilities;
    }
  }
  return old;
}

std::uint32_t change_fsgid(Credentials& c, std::uint32_t gid) {
  const std::uint32_t old = c.fsgid;
  const bool allowed = c.has(CAP_SETGID) || gid == c.fsgid || one_of(gid, {c.gid, c.egid, c.sgid});
  if (gid != kKeepId && allowed) {
    c.fsgid = gid;
  }
  return old;
}

Result<void> change_capabilities(Credentials& c, const CapabilitySets& wanted) {
  const bool permitted_ok = (wanted.permitted & ~c.permitted) == 0;
  const bool effective_ok = (wanted.effective & ~wanted.permitted) == 0;
  const std::uint64_t may_inherit =
      c.has(CAP_SETPCAP) ? c.inheritable | c.bounding : c.inheritable | c.permitted;
  const bool inheritable_ok = (wanted.inheritable & ~may_inherit) == 0;
  const bool bounded = (wanted.inheritable & ~(c.inheritable | c.bounding)) == 0;
  if (!permitted_ok || !effective_ok || !inheritable_ok || !bounded) {
    return fail(EPERM);
  }
  c.effective = wanted.effective;
  c.permitted = wanted.permitted;
  c.inheritable = wanted.inheritable;
  c.ambient &= c.permitted & c.inheritable;
  return {};
}

}  // namespace runhl::kernel
