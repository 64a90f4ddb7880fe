// SPDX-License-Identifier: Apache-2.0
// The host's features, by trying. A start does not pay for the full check: it runs for `info` and
// `features`, and to say what is missing once a start has failed.
#include "cell/host_features.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <csignal>
#include <string>

#include "cell/raw_call.h"
#include "cell/seccomp_notify.h"
#include "runhl/base/unique_fd.h"
#include "runhl/core/units.h"
#include "runhl/vmm/cell/cell.h"

namespace runhl::vmm::cell {

namespace {

constexpr unsigned long kHwcap2Fsgsbase = 1UL << 1;  // Linux, asm/hwcap2.h

/// Known flags get as far as the missing program.
bool filter_flags_known(unsigned long flags) {
  return raw_call(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, nullptr) == -EFAULT;
}

bool action_available(std::uint32_t action) {
  return raw_call(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

bool has_seals() {
  const UniqueFd fd{::memfd_create("runhl-probe", MFD_CLOEXEC | MFD_ALLOW_SEALING)};
  return fd && ::fcntl(fd.get(), F_ADD_SEALS, F_SEAL_FUTURE_WRITE | F_SEAL_GROW) == 0;
}

bool has_openat2() {
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH;
  const long fd = raw_call(SYS_openat2, AT_FDCWD, ".", &how, sizeof(how));
  if (fd >= 0) {
    (void)::close(static_cast<int>(fd));
  }
  return fd != -ENOSYS && fd != -EINVAL;
}

bool has_pidfd() {
  const long fd = raw_call(SYS_pidfd_open, ::getpid(), 0);
  if (fd >= 0) {
    (void)::close(static_cast<int>(fd));
  }
  return fd >= 0;
}

bool has_populate() {
  void* const page =
      ::mmap(nullptr, kPageSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) {
    return false;
  }
  const bool known = ::madvise(page, kPageSize, MADV_POPULATE_WRITE) == 0;
  (void)::munmap(page, kPageSize);
  return known;
}

/// What `run` returns, run in a child: it changes the process for good.
int run_in_child(std::uint64_t clone_flags, int (*run)()) {
  const long pid = raw_call(SYS_clone, clone_flags | SIGCHLD, nullptr, nullptr, nullptr, 0);
  if (pid == 0) {
    const int status = run();
    for (;;) {
      (void)raw_call(SYS_exit_group, status);
    }
  }
  int status = 0;
  if (pid < 0) {
    return static_cast<int>(-pid);
  }
  while (::waitpid(static_cast<pid_t>(pid), &status, __WALL) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : EFAULT;
}

constexpr int kSyncWakeUpWorks = 255;  // no errno

int try_listener_after_fork() {
  (void)raw_call(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  sock_filter allow{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW};
  const sock_fprog program{1, &allow};
  const long listener =
      raw_call(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
  if (listener < 0) {
    return static_cast<int>(-listener);
  }
  return raw_call(SYS_ioctl, listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS,
                  SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP) == 0
             ? kSyncWakeUpWorks
             : 0;
}

void check_calls(HostFeatures* host) {
  const auto need = [host](bool there, const char* what) {
    if (!there) {
      host->missing.emplace_back(what);
    }
  };
  need(action_available(SECCOMP_RET_TRAP), "seccomp filters that trap (Linux 3.5)");
  need(action_available(SECCOMP_RET_KILL_PROCESS), "SECCOMP_RET_KILL_PROCESS (Linux 4.14)");
  need(action_available(SECCOMP_RET_USER_NOTIF), "seccomp notifications (Linux 5.0)");
  need(has_seals(), "memfd_create with F_SEAL_FUTURE_WRITE (Linux 5.1)");
  need(has_pidfd(), "pidfd_open (Linux 5.3)");
  need(has_openat2(), "openat2 (Linux 5.6)");
  need(raw_call(SYS_close_range, ~0U, ~0U, 0) == 0, "close_range (Linux 5.9)");
  need(has_populate(), "MADV_POPULATE_WRITE (Linux 5.14)");
}

}  // namespace

StartFeatures start_features() {
  StartFeatures features;
  features.fsgsbase = (::getauxval(AT_HWCAP2) & kHwcap2Fsgsbase) != 0;
  features.wait_killable =
      filter_flags_known(SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV);
  const long abi =
      raw_call(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  features.landlock_abi = abi < 0 ? 0 : static_cast<int>(abi);
  return features;
}

HostFeatures check_host() {
  HostFeatures host;
  const StartFeatures start = start_features();
  host.fsgsbase = start.fsgsbase;
  host.wait_killable = start.wait_killable;
  host.landlock_abi = start.landlock_abi;
  check_calls(&host);
  const int listener = run_in_child(0, try_listener_after_fork);
  host.sync_wake_up = listener == kSyncWakeUpWorks;
  host.listener = listener == 0 || listener == kSyncWakeUpWorks;
  if (!host.listener && listener != EBUSY) {
    host.missing.emplace_back("seccomp filters with a listener (Linux 5.0)");
  }
  const auto nothing = [] { return 0; };
  host.user_namespace = run_in_child(CLONE_NEWUSER, nothing) == 0;
  const std::uint64_t namespaces = CLONE_NEWPID | (host.user_namespace ? CLONE_NEWUSER : 0);
  if (run_in_child(namespaces, nothing) != 0) {
    host.missing.emplace_back("pid namespaces, which the host's policy forbids");
  }
  return host;
}

}  // namespace runhl::vmm::cell
