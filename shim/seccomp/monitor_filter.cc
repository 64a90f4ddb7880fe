// SPDX-License-Identifier: Apache-2.0
// Which host calls the monitor may make once its guest runs. Paths are behind pointers, where no
// filter sees them: for those the jail and Landlock are the wall. This filter takes away what would
// lead around them: other processes, other namespaces, new programs, rarely used host code.
#include "runhl/shim/monitor_filter.h"

#include <asm/unistd_64.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <span>

#include "runhl/shim/filter_parts.h"
#include "runhl/vmm/cell/bpf_assembler.h"

// NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming): the host's own names
#ifndef __NR_fchmodat2  // Linux 6.6, younger than Debian 12's headers
#define __NR_fchmodat2 452
#endif
#ifndef __NR_setxattrat  // Linux 6.13
#define __NR_setxattrat 463
#define __NR_getxattrat 464
#define __NR_listxattrat 465
#define __NR_removexattrat 466
#endif
// NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming)

namespace runhl::shim {
namespace {

using vmm::cell::assemble;
using vmm::cell::BpfAssembler;
using vmm::cell::kX32Bit;
using vmm::cell::low;

constexpr std::uint32_t kAlwaysAllowed[] = {
    // The file service.
    __NR_openat2,          // resolve beneath a tree
    __NR_statx,            // attributes
    __NR_pread64,          // read
    __NR_pwrite64,         // write; the exit file
    __NR_preadv2,          // read without blocking
    __NR_pwritev2,         // append
    __NR_getdents64,       // list
    __NR_lseek,            // rewind a directory; holes
    __NR_close,            // a handle the guest is done with
    __NR_fstatfs,          // refuse kernel file systems, statfs of the guest
    __NR_fstat,            // what was opened
    __NR_newfstatat,       // the same, as glibc does it
    __NR_readlinkat,       // a symlink is the guest's to resolve
    __NR_faccessat2,       // access
    __NR_mkdirat,          // mkdir
    __NR_mknodat,          // FIFOs, sockets; devices need MKNOD
    __NR_unlinkat,         // unlink, rmdir
    __NR_renameat2,        // rename
    __NR_linkat,           // link
    __NR_symlinkat,        // symlink
    __NR_fchmod,           // chmod
    __NR_fchmodat,         // chmod before fchmodat2
    __NR_fchmodat2,        // chmod of what cannot be opened
    __NR_fchown,           // chown
    __NR_fchownat,         // chown
    __NR_utimensat,        // utimes
    __NR_ftruncate,        // truncate
    __NR_fallocate,        // fallocate
    __NR_fsync,            // fsync
    __NR_fdatasync,        // fdatasync
    __NR_flock,            // flock
    __NR_fgetxattr,        // xattrs
    __NR_fsetxattr,        // xattrs
    __NR_flistxattr,       // xattrs
    __NR_fremovexattr,     // xattrs
    __NR_getxattrat,       // xattrs of what cannot be opened
    __NR_setxattrat,       // the same
    __NR_listxattrat,      // the same
    __NR_removexattrat,    // the same
    __NR_sync_file_range,  // sync_file_range
    __NR_syncfs,           // syncfs
    __NR_copy_file_range,  // copies that need not pass through the guest
    __NR_setfsuid,         // each operation as the guest's task, within the ceiling
    __NR_setfsgid,         // the same
    __NR_setgroups,        // the same
    __NR_capget,           // the same
    __NR_capset,           // the same: lowering and raising within permitted
    // The main loop.
    __NR_epoll_wait,         // wait
    __NR_epoll_pwait,        // wait, on another libc
    __NR_epoll_ctl,          // callers come and go
    __NR_poll,               // wait for one descriptor
    __NR_ppoll,              // the same, on another libc
    __NR_read,               // doorbell, streams, signals
    __NR_write,              // doorbell, streams, log
    __NR_readv,              // streams
    __NR_writev,             // streams, log
    __NR_accept4,            // control socket
    __NR_recvfrom,           // control socket, set-up channel
    __NR_recvmsg,            // the same
    __NR_sendto,             // the same
    __NR_sendmsg,            // the same
    __NR_shutdown,           // streams that are sockets
    __NR_getsockopt,         // who calls
    __NR_openat,             // a stream is opened anew, the time zone of a log line
    __NR_eventfd2,           // wake-ups
    __NR_pidfd_send_signal,  // ends cell 0; it reaches only whom a held pidfd names
    __NR_waitid,             // cell 0's status
    __NR_wait4,              // the same
    // What libc and the language's run-time need.
    __NR_futex,              // locks, joins, the ring
    __NR_brk,                // malloc
    __NR_munmap,             // malloc, stacks of threads
    __NR_mremap,             // malloc
    __NR_madvise,            // malloc, stacks of threads
    __NR_rt_sigreturn,       // return of a handler
    __NR_rt_sigaction,       // the handler that interrupts the file service
    __NR_rt_sigprocmask,     // masks of threads
    __NR_sigaltstack,        // threads under a sanitizer
    __NR_restart_syscall,    // an interrupted sleep goes on
    __NR_set_robust_list,    // start of a thread
    __NR_rseq,               // start and end of a thread
    __NR_sched_getaffinity,  // malloc's arenas, number of CPUs
    __NR_sched_yield,        // locks
    __NR_getpid,             // pthread_kill
    __NR_gettid,             // abort
    __NR_getuid,             // glibc's secure getenv, logs
    __NR_geteuid,            // the same
    __NR_getgid,             // the same
    __NR_getegid,            // the same
    __NR_clock_gettime,      // time without a vDSO
    __NR_gettimeofday,       // the same
    __NR_clock_nanosleep,    // waits of the run-time
    __NR_nanosleep,          // the same
    __NR_getrandom,          // randomness of a new guest; malloc
    __NR_close_range,        // what the session no longer needs
    __NR_exit,               // end of a thread
    __NR_exit_group,         // the end
};

constexpr std::uint32_t kIoctls[] = {
    SECCOMP_IOCTL_NOTIF_RECV,      // the file service: next request
    SECCOMP_IOCTL_NOTIF_SEND,      // its answer
    SECCOMP_IOCTL_NOTIF_ADDFD,     // injection of a file
    SECCOMP_IOCTL_NOTIF_ID_VALID,  // does the caller still wait
    SECCOMP_IOW(4, __u64),         // NOTIF_SET_FLAGS: SYNC_WAKE_UP, younger than the headers
    FIONREAD,                      // how much a stream holds
    TCGETS,                        // is a stream a terminal
    TIOCGWINSZ,                    // how large is it
};

// Not F_SETOWN and F_SETSIG: they send signals to anyone of the same uid.
constexpr std::uint32_t kFcntls[] = {
    F_GETFL,          // access mode of a stream
    F_SETFL,          // O_NONBLOCK, O_APPEND
    F_GETFD,          // descriptor flags
    F_SETFD,          // the same
    F_DUPFD_CLOEXEC,  // a second owner
    F_OFD_SETLK,      // locks of guest programs on shared volumes
    F_OFD_GETLK,      // the same
};

constexpr std::uint32_t kPrctls[] = {
    PR_SET_PDEATHSIG,  // the tie to the verb ends with create
    PR_SET_NAME,       // names of threads
};

// What becomes of a call; beyond the first two its arguments decide.
enum class Fate : std::uint8_t {
  Refused,
  Allowed,
  Deadly,
  Memory,
  Clone,
  Tgkill,
  Ioctl,
  Fcntl,
  Prctl
};
constexpr std::size_t kFates = 9;
constexpr std::size_t kNumbers = 512;  // larger ones are refused

constexpr auto kFateOf = [] {
  std::array<Fate, kNumbers> fates{};
  const auto set = [&fates](std::uint32_t number, Fate fate) {
    if (fates.at(number) != Fate::Refused) {
      throw "a call is listed twice";  // ends the compilation
    }
    fates.at(number) = fate;
  };
  for (const std::uint32_t number : kAlwaysAllowed) {
    set(number, Fate::Allowed);
  }
  for (const std::uint32_t number : kDeadlyCalls) {
    set(number, Fate::Deadly);
  }
  set(__NR_mmap, Fate::Memory);      // malloc, stacks of threads
  set(__NR_mprotect, Fate::Memory);  // the same
  set(__NR_clone, Fate::Clone);      // clone3 hides its flags: refused, and libc uses this one
  set(__NR_tgkill, Fate::Tgkill);    // interrupt the file service, abort
  set(__NR_ioctl, Fate::Ioctl);
  set(__NR_fcntl, Fate::Fcntl);
  set(__NR_prctl, Fate::Prctl);
  return fates;
}();

/// Neighbours of one fate, up to the next run.
struct Run {
  std::uint32_t first = 0;
  Fate fate = Fate::Refused;
};

constexpr std::size_t kRunCount = [] {
  std::size_t count = 2;  // the first, and what lies beyond the table
  for (std::size_t i = 1; i < kNumbers; ++i) {
    count += kFateOf[i] != kFateOf[i - 1] ? 1U : 0U;
  }
  return count;
}();

constexpr auto kRuns = [] {
  std::array<Run, kRunCount> runs{};
  std::size_t count = 0;
  for (std::uint32_t i = 0; i < kNumbers; ++i) {
    if (i == 0 || kFateOf[i] != kFateOf[i - 1]) {
      runs[count++] = {i, kFateOf[i]};
    }
  }
  runs[count] = {kNumbers, Fate::Refused};
  return runs;
}();

using Places = std::array<BpfAssembler::Label, kFates>;

constexpr BpfAssembler::Label place_of(const Places& places, Fate fate) {
  return places[static_cast<std::size_t>(fate)];
}

/// Finds the run by halving. Beside the calls, the installation is made faster by it: the host
/// walks a filter for every number there is, to learn which need no filter.
constexpr void decide(BpfAssembler& p, std::span<const Run> runs, const Places& places) {
  const auto left = runs.first(runs.size() / 2), right = runs.subspan(runs.size() / 2);
  const bool left_ends = left.size() == 1, right_ends = right.size() == 1;
  const auto to_left = left_ends ? place_of(places, left[0].fate) : p.label();
  const auto to_right = right_ends ? place_of(places, right[0].fate) : p.label();
  p.branch_at_least(right[0].first, to_right, to_left);
  if (!left_ends) {
    p.bind(to_left);
    decide(p, left, places);
  }
  if (!right_ends) {
    p.bind(to_right);
    decide(p, right, places);
  }
}

constexpr auto kFilter = assemble<[](BpfAssembler& p) {
  Places places{};
  for (BpfAssembler::Label& place : places) {
    place = p.label();
  }
  const auto allow = place_of(places, Fate::Allowed), kill = place_of(places, Fate::Deadly);

  p.load(offsetof(seccomp_data, arch));
  p.jump_unless_equal(AUDIT_ARCH_X86_64, kill);
  p.load(offsetof(seccomp_data, nr));
  p.jump_if_any_bit(kX32Bit, kill);
  decide(p, kRuns, places);

  p.bind(place_of(places, Fate::Refused));
  p.answer(SECCOMP_RET_ERRNO | ENOSYS);

  // New executable memory: no code of ours is made at run time.
  p.bind(place_of(places, Fate::Memory));
  p.load(low(2));
  p.jump_if_any_bit(PROT_EXEC, kill);
  p.answer(SECCOMP_RET_ALLOW);

  p.bind(place_of(places, Fate::Clone));  // a thread of this process, exactly as libc makes it
  p.load(low(0));
  p.jump_if_equal(kThreadFlags, allow);
  p.answer(SECCOMP_RET_KILL_PROCESS);

  p.bind(place_of(places, Fate::Tgkill));
  p.load(low(0));
  p.jump_if_equal(kSelf, allow);
  p.answer(SECCOMP_RET_KILL_PROCESS);

  p.bind(place_of(places, Fate::Ioctl));
  p.load(low(1));
  match_any(p, kIoctls, allow);
  p.jump_if_equal(TIOCSTI, kill);  // types into the terminal of whoever started us
  p.answer(SECCOMP_RET_ERRNO | ENOTTY);

  p.bind(place_of(places, Fate::Fcntl));
  p.load(low(1));
  match_any(p, kFcntls, allow);
  p.answer(SECCOMP_RET_ERRNO | EINVAL);

  p.bind(place_of(places, Fate::Prctl));
  p.load(low(0));
  match_any(p, kPrctls, allow);
  p.answer(SECCOMP_RET_ERRNO | EINVAL);

  p.bind(kill);
  p.answer(SECCOMP_RET_KILL_PROCESS);
  p.bind(allow);
  p.answer(SECCOMP_RET_ALLOW);
}>();

}  // namespace

std::vector<sock_filter> monitor_filter(pid_t self) {
  return filter_for_process(kFilter, self);
}

Result<void> confine_calls(Sys& sys) {
  return sys.set_seccomp_filter(monitor_filter(::getpid()));
}

}  // namespace runhl::shim
