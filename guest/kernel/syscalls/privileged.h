// SPDX-License-Identifier: Apache-2.0
// Calls that are not there for anybody, and that Linux refuses by EPERM before it looks at anything
// else: who may not make one learns that, and not that it is missing. Programs that find they may
// not mount go on another way; those that find no mount(2) give up.
#pragma once

#include <asm/unistd_64.h>
#include <linux/capability.h>

#include <cstdint>
#include <optional>

namespace runhl::kernel {

/// The capability that call `number` wants (capabilities(7)); nothing: none, or not first of all.
constexpr std::optional<unsigned> wanted_capability(std::uint32_t number) {
  switch (number) {
    case __NR_pivot_root:
    case __NR_fsopen:
    case __NR_fspick:
    case __NR_fsmount:
    case __NR_move_mount:
    case __NR_mount_setattr:
    case __NR_swapon:
    case __NR_swapoff:
    case __NR_sethostname:
    case __NR_setdomainname:
    case __NR_setns:
    case __NR_bpf:
      return CAP_SYS_ADMIN;
    case __NR_syslog:
      return CAP_SYSLOG;
    case __NR_reboot:
    case __NR_kexec_load:
    case __NR_kexec_file_load:
      return CAP_SYS_BOOT;
    case __NR_init_module:
    case __NR_finit_module:
    case __NR_delete_module:
      return CAP_SYS_MODULE;
    case __NR_acct:
      return CAP_SYS_PACCT;
    case __NR_ioperm:
    case __NR_iopl:
      return CAP_SYS_RAWIO;
    case __NR_open_by_handle_at:
      return CAP_DAC_READ_SEARCH;
    case __NR_vhangup:
      return CAP_SYS_TTY_CONFIG;
    default:
      return std::nullopt;
  }
}

}  // namespace runhl::kernel
