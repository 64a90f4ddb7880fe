// SPDX-License-Identifier: Apache-2.0
// No call here opens or changes a file by a path that Landlock does not see: permissions and times
// are changed by descriptor alone. Calls that lead to other programs, processes or namespaces kill;
// what else is not named does not exist.
#include "boot/boot_filter.h"

#include <asm/unistd_64.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/types.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>

#include "runhl/shim/filter_parts.h"
#include "runhl/vmm/cell/bpf_assembler.h"
#include "runhl/vmm/kvm/run_requests.h"

namespace runhl::boot {
namespace {

using shim::match_any;
using vmm::cell::assemble;
using vmm::cell::BpfAssembler;
using vmm::cell::high;
using vmm::cell::kX32Bit;
using vmm::cell::low;

constexpr std::uint32_t kAlways[] = {
    // The CPU and the console.
    __NR_read,               // standard input, a kick of the CPU
    __NR_write,              // the guest's output, kicks
    __NR_writev,             // stdio
    __NR_poll,               // wait for the CPU's process
    __NR_ppoll,              // the same, on another libc
    __NR_sendmsg,            // to the CPU's process
    __NR_recvfrom,           // its answers
    __NR_pidfd_send_signal,  // stops and ends it; it reaches only whom a held pidfd names
    __NR_wait4,              // how it ended
    __NR_fstat,              // stdio
    __NR_newfstatat,         // the same, as glibc does it
    __NR_close,              // descriptors at the end
    __NR_clock_gettime,      // time without a vDSO
    __NR_gettimeofday,       // the same
    __NR_clock_nanosleep,    // the guest sleeps
    __NR_nanosleep,          // waits of the run-time
    __NR_getrandom,          // the guest's random numbers
    __NR_ftruncate,          // a snapshot's memory, fs_truncate
    __NR_lseek,              // what of the memory was never written; fs_list
    // What libc and the language's run-time need.
    __NR_futex,              // locks, the time limit
    __NR_brk,                // malloc
    __NR_munmap,             // malloc, stacks of threads
    __NR_mremap,             // malloc
    __NR_madvise,            // malloc, stacks of threads
    __NR_rt_sigreturn,       // return of a handler
    __NR_rt_sigaction,       // abort
    __NR_rt_sigprocmask,     // masks of threads
    __NR_sigaltstack,        // threads under a sanitizer
    __NR_restart_syscall,    // an interrupted sleep goes on
    __NR_set_robust_list,    // start of a thread
    __NR_rseq,               // start and end of a thread
    __NR_sched_getaffinity,  // malloc's arenas
    __NR_sched_yield,        // locks
    __NR_getpid,             // abort
    __NR_gettid,             // the same
    __NR_exit,               // end of a thread
    __NR_exit_group,         // the end
};

// With --mount.
constexpr std::uint32_t kFiles[] = {
    __NR_openat2,     // beneath a granted directory
    __NR_pread64,     // fs_read_bytes
    __NR_pwrite64,    // fs_write_bytes
    __NR_getdents64,  // fs_list
    __NR_readlinkat,  // fs_readlink
    __NR_mkdirat,     // fs_mkdir
    __NR_unlinkat,    // fs_unlink
    __NR_renameat,    // fs_rename
    __NR_renameat2,   // the same, on another libc
    __NR_linkat,      // fs_link
    __NR_symlinkat,   // fs_symlink
    __NR_fchmod,      // fs_chmod
};

// With a network; socket() of the internet's two families and two kinds alone.
constexpr std::uint32_t kNetwork[] = {
    __NR_connect,      // net_connect, net_disconnect, questions to name servers
    __NR_bind,         // net_bind
    __NR_listen,       // net_listen
    __NR_accept4,      // net_accept
    __NR_sendto,       // net_send, net_sendto
    __NR_shutdown,     // net_shutdown
    __NR_getpeername,  // net_getpeername
    __NR_getsockname,  // net_getsockname
    __NR_getsockopt,   // net_getsockopt
    __NR_setsockopt,   // net_setsockopt
};

// Without one.
constexpr std::uint32_t kSockets[] = {__NR_socket, __NR_connect, __NR_bind,
                                      __NR_listen, __NR_accept,  __NR_accept4};

constexpr std::uint32_t kSocketFlags = SOCK_NONBLOCK | SOCK_CLOEXEC;

constexpr std::uint32_t kIoctls[] = {
    TCGETS,  // is a stream a terminal
};

constexpr std::uint32_t kFcntls[] = {
    F_GETFL,  // a directory that is listed
    F_GETFD,  // the same, on another libc
    F_SETFD,  // the same
};

template <bool Files, bool Network>
constexpr void write_filter(BpfAssembler& p) {
  const auto allow = p.label(), kill = p.label();
  const auto memory = p.label(), clone = p.label(), tgkill = p.label(), ioctl = p.label();
  const auto fcntl = p.label(), prctl = p.label(), times = p.label();
  const auto socket = p.label(), kind = p.label();

  p.load(offsetof(seccomp_data, arch));
  p.jump_unless_equal(AUDIT_ARCH_X86_64, kill);
  p.load(offsetof(seccomp_data, nr));
  p.jump_if_any_bit(kX32Bit, kill);
  match_any(p, kAlways, allow);
  if constexpr (Files) {
    match_any(p, kFiles, allow);
    p.jump_if_equal(__NR_utimensat, times);  // fs_set_times
    p.jump_if_equal(__NR_fcntl, fcntl);
  }
  if constexpr (Network) {
    match_any(p, kNetwork, allow);
    p.jump_if_equal(__NR_socket, socket);
  } else {
    match_any(p, kSockets, kill);
  }
  p.jump_if_equal(__NR_mmap, memory);      // malloc, stacks of threads
  p.jump_if_equal(__NR_mprotect, memory);  // the same
  p.jump_if_equal(__NR_clone, clone);      // the time limit's; clone3 hides its flags: not there
  p.jump_if_equal(__NR_tgkill, tgkill);    // abort, a kick of a CPU on KVM
  p.jump_if_equal(__NR_ioctl, ioctl);
  p.jump_if_equal(__NR_prctl, prctl);
  match_any(p, shim::kDeadlyCalls, kill);
  p.answer(SECCOMP_RET_ERRNO | ENOSYS);

  p.bind(memory);  // no code of ours is made at run time
  p.load(low(2));
  p.jump_if_any_bit(PROT_EXEC, kill);
  p.answer(SECCOMP_RET_ALLOW);

  p.bind(clone);
  p.load(low(0));
  p.jump_if_equal(shim::kThreadFlags, allow);
  p.answer(SECCOMP_RET_KILL_PROCESS);

  p.bind(tgkill);
  p.load(low(0));
  p.jump_if_equal(shim::kSelf, allow);
  p.answer(SECCOMP_RET_KILL_PROCESS);

  p.bind(ioctl);
  p.load(low(1));
  match_any(p, kIoctls, allow);
  match_any(p, vmm::kvm::kRunRequests, allow);
  p.jump_if_equal(TIOCSTI, kill);  // types into the terminal of whoever started us
  p.answer(SECCOMP_RET_ERRNO | ENOTTY);

  p.bind(prctl);
  p.load(low(0));
  p.jump_if_equal(PR_SET_NAME, allow);  // names of threads
  p.answer(SECCOMP_RET_ERRNO | EINVAL);

  if constexpr (Files) {
    p.bind(fcntl);
    p.load(low(1));
    match_any(p, kFcntls, allow);
    p.answer(SECCOMP_RET_ERRNO | EINVAL);

    p.bind(times);  // futimens: of a descriptor, never of a path
    p.load(low(1));
    p.jump_unless_equal(0, kill);
    p.load(high(1));
    p.jump_unless_equal(0, kill);
    p.answer(SECCOMP_RET_ALLOW);
  }

  if constexpr (Network) {
    p.bind(socket);
    p.load(low(0));
    p.jump_if_equal(AF_INET, kind);
    p.jump_unless_equal(AF_INET6, kill);
    p.bind(kind);
    p.load(low(1));
    p.mask(~kSocketFlags);
    p.jump_if_equal(SOCK_STREAM, allow);
    p.jump_if_equal(SOCK_DGRAM, allow);
    p.answer(SECCOMP_RET_KILL_PROCESS);
  }

  p.bind(kill);
  p.answer(SECCOMP_RET_KILL_PROCESS);
  p.bind(allow);
  p.answer(SECCOMP_RET_ALLOW);
}

constexpr auto kNothing = assemble<write_filter<false, false>>();
constexpr auto kFilesAlone = assemble<write_filter<true, false>>();
constexpr auto kNetworkAlone = assemble<write_filter<false, true>>();
constexpr auto kFilesAndNetwork = assemble<write_filter<true, true>>();

}  // namespace

std::vector<sock_filter> boot_filter(const GrantedCalls& granted, pid_t self) {
  if (granted.network) {
    return granted.files ? shim::filter_for_process(kFilesAndNetwork, self)
                         : shim::filter_for_process(kNetworkAlone, self);
  }
  return granted.files ? shim::filter_for_process(kFilesAlone, self)
                       : shim::filter_for_process(kNothing, self);
}

}  // namespace runhl::boot
