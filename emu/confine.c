// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include "confine.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runhl/emu/protocol.h"

#define NUMBER offsetof(struct seccomp_data, nr)
#define ARCH offsetof(struct seccomp_data, arch)
#define ARGUMENT(n) (offsetof(struct seccomp_data, args) + 8 * (n))

#define LOAD(what) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, what)
#define ANSWER(what) BPF_STMT(BPF_RET | BPF_K, what)
#define ALLOW ANSWER(SECCOMP_RET_ALLOW)
#define KILL ANSWER(SECCOMP_RET_KILL_PROCESS)
#define SKIP_UNLESS(value, count) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, count)
#define ALLOW_CALL(number) SKIP_UNLESS(number, 1), ALLOW

// Whatever is not named here kills the process.
static const struct sock_filter kFilter[] = {
    LOAD(ARCH), SKIP_UNLESS(AUDIT_ARCH_X86_64, 1), BPF_STMT(BPF_JMP | BPF_JA, 1), KILL,
    LOAD(NUMBER),
    // The translator allocates tables as the guest touches new code and memory.
    ALLOW_CALL(__NR_munmap), ALLOW_CALL(__NR_mremap), ALLOW_CALL(__NR_madvise),
    ALLOW_CALL(__NR_brk),
    // RDTSC and the engine's timers; the vDSO falls back to these on some hosts.
    ALLOW_CALL(__NR_clock_gettime), ALLOW_CALL(__NR_gettimeofday),
    ALLOW_CALL(__NR_futex),         // malloc's lock
    ALLOW_CALL(__NR_rt_sigreturn),  // of SIGUSR1
    ALLOW_CALL(__NR_restart_syscall), ALLOW_CALL(__NR_exit_group),
    ALLOW_CALL(__NR_getrandom),  // RDRAND
    // Memory without a file, never executable: the translator's code area is there already.
    SKIP_UNLESS(__NR_mmap, 6), LOAD(ARGUMENT(4)), SKIP_UNLESS(0xffffffffU, 3), LOAD(ARGUMENT(2)),
    BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 1, 0), ALLOW, KILL,
    SKIP_UNLESS(__NR_mprotect, 4), LOAD(ARGUMENT(2)),
    BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 1, 0), ALLOW, KILL,
    // The monitor's socket. A complaint of the C library to stderr, which is closed, is not a
    // crime.
    SKIP_UNLESS(__NR_read, 3), LOAD(ARGUMENT(0)), SKIP_UNLESS(RUNHL_EMU_SOCKET, 6), ALLOW,
    SKIP_UNLESS(__NR_write, 4), LOAD(ARGUMENT(0)), SKIP_UNLESS(RUNHL_EMU_SOCKET, 1), ALLOW,
    ANSWER(SECCOMP_RET_ERRNO | EBADF), KILL};

int confine_early(void) {
  const struct rlimit none = {0, 0};
  if (close_range(RUNHL_EMU_SOCKET + 1, ~0U, 0) != 0 || setrlimit(RLIMIT_CORE, &none) != 0 ||
      prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || prctl(PR_SET_DUMPABLE, 0) != 0) {
    return -1;
  }
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
    (void)close(fd);
  }
  return 0;
}

// The translator's code area is 1 GiB of addresses; its tables grow with what the guest touches.
static const uint64_t kOwnAddresses = 3ULL << 30;

int confine(uint64_t mapped) {
  const struct rlimit addresses = {mapped + kOwnAddresses, mapped + kOwnAddresses};
  const struct sock_fprog program = {sizeof kFilter / sizeof kFilter[0],
                                     (struct sock_filter*)kFilter};
  if (setrlimit(RLIMIT_AS, &addresses) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    return -1;
  }
  return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0 ? 0 : -1;
}
