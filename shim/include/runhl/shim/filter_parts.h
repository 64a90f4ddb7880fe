// SPDX-License-Identifier: Apache-2.0
// What the filters of our jailed processes have in common: the monitor's and runhl-boot's.
#pragma once

#include <asm/unistd_64.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "runhl/vmm/cell/bpf_assembler.h"

namespace runhl::shim {

// Nothing of ours makes these: whoever does is not ours any more.
inline constexpr std::uint32_t kDeadlyCalls[] = {
    // other programs and processes
    __NR_execve,
    __NR_execveat,
    __NR_fork,
    __NR_vfork,
    __NR_ptrace,
    __NR_process_vm_readv,
    __NR_process_vm_writev,
    __NR_process_madvise,
    __NR_kill,
    __NR_tkill,
    __NR_rt_sigqueueinfo,
    __NR_rt_tgsigqueueinfo,
    __NR_pidfd_open,
    __NR_pidfd_getfd,
    __NR_kcmp,
    // other namespaces and mounts
    __NR_unshare,
    __NR_setns,
    __NR_mount,
    __NR_umount2,
    __NR_pivot_root,
    __NR_chroot,
    __NR_open_tree,
    __NR_move_mount,
    __NR_fsopen,
    __NR_fsconfig,
    __NR_fsmount,
    __NR_fspick,
    __NR_mount_setattr,
    // files by other ways than a path beneath a tree
    __NR_open_by_handle_at,
    __NR_name_to_handle_at,
    __NR_memfd_secret,
    // other credentials (those of file operations are above)
    __NR_setuid,
    __NR_setgid,
    __NR_setreuid,
    __NR_setregid,
    __NR_setresuid,
    __NR_setresgid,
    // the host's kernel
    __NR_bpf,
    __NR_perf_event_open,
    __NR_userfaultfd,
    __NR_io_uring_setup,
    __NR_io_uring_enter,
    __NR_io_uring_register,
    __NR_add_key,
    __NR_request_key,
    __NR_keyctl,
    __NR_init_module,
    __NR_finit_module,
    __NR_delete_module,
    __NR_kexec_load,
    __NR_kexec_file_load,
    __NR_reboot,
    __NR_iopl,
    __NR_ioperm,
    __NR_modify_ldt,
    __NR_personality,
    __NR_seccomp,
    __NR_sethostname,
    __NR_setdomainname,
    __NR_settimeofday,
    __NR_clock_settime,
    __NR_adjtimex,
    __NR_clock_adjtime,
    __NR_swapon,
    __NR_swapoff,
    __NR_acct,
    __NR_quotactl,
    __NR_syslog,
    __NR_vhangup,
};

// Stands for the process's pid, which is not known before it runs; no pid is as large
// (PID_MAX_LIMIT is 2^22).
inline constexpr std::uint32_t kSelf = 0x7fff'fff1;

// A thread, exactly as libc makes it.
inline constexpr std::uint32_t kThreadFlags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND |
                                              CLONE_THREAD | CLONE_SYSVSEM | CLONE_SETTLS |
                                              CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID;

template <std::size_t Size>
constexpr void match_any(vmm::cell::BpfAssembler& p, const std::uint32_t (&values)[Size],
                         vmm::cell::BpfAssembler::Label to) {
  for (const std::uint32_t value : values) {
    p.jump_if_equal(value, to);
  }
}

/// `filter` with `self` where it compares with kSelf.
inline std::vector<sock_filter> filter_for_process(std::span<const sock_filter> filter,
                                                   pid_t self) {
  std::vector<sock_filter> result(filter.begin(), filter.end());
  for (sock_filter& instruction : result) {
    if (BPF_CLASS(instruction.code) == BPF_JMP && instruction.k == kSelf) {
      instruction.k = static_cast<std::uint32_t>(self);
    }
  }
  return result;
}

}  // namespace runhl::shim
