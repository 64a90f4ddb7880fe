// SPDX-License-Identifier: Apache-2.0
// The child's side of signals, limits and identity.
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/rseq.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <span>

#include "cell/cell0.h"
#include "cell/raw_call.h"

namespace runhl::vmm::cell {

namespace {

/// rt_sigaction's own struct; the C library's has another order and a restorer of its own.
struct KernelSigaction {
  std::uint64_t handler;
  std::uint64_t flags;
  std::uint64_t restorer;
  std::uint64_t mask;
};
constexpr std::uint64_t kSaRestorer = 0x0400'0000;  // asm/signal.h, not in the C library's headers
constexpr int kSignalCount = 64;
constexpr std::size_t kSignalSetSize = 8;

/// What the program's own instructions raise: handlers leave the signal stack without a sigreturn,
/// so nothing may be blocked while they run.
constexpr std::array<int, 6> kSynchronous{SIGSYS, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP};
/// What comes from elsewhere, at any rate: blocked until the handler's sigreturn, or a storm of
/// them would pile up frames on the signal stack until it overflows.
constexpr std::array<int, 2> kAsynchronous{SIGALRM, SIGCHLD};
constexpr std::uint64_t kAsynchronousSet = 1ULL << (SIGALRM - 1) | 1ULL << (SIGCHLD - 1);

StepError set_action(int signal, const KernelSigaction& action) {
  return raw_error(SYS_rt_sigaction, signal, &action, nullptr, kSignalSetSize);
}

bool is_in(std::span<const int> signals, int signal) {
  return std::find(signals.begin(), signals.end(), signal) != signals.end();
}

StepError ignore_other_signals() {
  constexpr KernelSigaction kIgnore{1 /* SIG_IGN */, 0, 0, 0};
  for (int signal = 1; signal <= kSignalCount; ++signal) {
    const bool fixed = signal == SIGKILL || signal == SIGSTOP;
    if (fixed || is_in(kSynchronous, signal) || is_in(kAsynchronous, signal)) {
      continue;
    }
    const StepError error = set_action(signal, kIgnore);
    if (error != 0) {
      return error;
    }
  }
  return 0;
}

/// Lowers a limit; what is lower already stays.
StepError lower_limit(int resource, std::uint64_t value) {
  rlimit limit{};
  StepError error = raw_error(SYS_prlimit64, 0, resource, nullptr, &limit);
  if (error != 0) {
    return error;
  }
  limit.rlim_max = std::min<std::uint64_t>(limit.rlim_max, value);
  limit.rlim_cur = limit.rlim_max;
  return raw_error(SYS_prlimit64, 0, resource, &limit, nullptr);
}

/// landlock_ruleset_attr with all fields of ABI 6; older headers lack some.
struct LandlockRules {
  std::uint64_t files, network, scopes;
};

struct LandlockVersion {
  int abi;
  std::uint64_t files, network, scopes;  // every right that this version knows
  std::size_t size;
};
constexpr std::array<LandlockVersion, 6> kLandlock{{
    {6, 0xffff, 3, 3, 24},  // 6.12: scopes: abstract unix sockets, signals
    {5, 0xffff, 3, 0, 16},  // 6.10: ioctl of devices
    {4, 0x7fff, 3, 0, 16},  // 6.7: TCP bind and connect
    {3, 0x7fff, 0, 0, 8},   // 6.2: truncate
    {2, 0x3fff, 0, 0, 8},   // 5.19: refer
    {1, 0x1fff, 0, 0, 8},   // 5.13
}};

}  // namespace

StepError unregister_rseq_after_fork() {
  // The host kills a process whose registered area is gone at its next preemption.
  if (__rseq_size != 0) {
    auto* const area = static_cast<char*>(__builtin_thread_pointer()) + __rseq_offset;
    constexpr unsigned kRegisteredSize = 32;  // what the C library registers, sizeof(struct rseq)
    constexpr unsigned kSignature = 0x5305'3053;
    constexpr int kUnregister = 1;
    const StepError error = raw_error(SYS_rseq, area, kRegisteredSize, kUnregister, kSignature);
    if (error != 0) {
      return error;
    }
  }
  constexpr std::size_t kRobustListHeadSize = 24;
  return raw_error(SYS_set_robust_list, nullptr, kRobustListHeadSize);
}

StepError enter_cgroup_after_fork(const Cell0Plan& plan) {
  if (plan.cgroup_tasks < 0) {
    return 0;
  }
  const char self = '0';
  const long written = raw_call(SYS_write, plan.cgroup_tasks, &self, sizeof(self));
  return written < 0 ? static_cast<StepError>(-written) : 0;
}

StepError take_signals_after_fork(const Cell0Plan& plan) {
  StepError error = ignore_other_signals();
  constexpr std::uint64_t kFlags = SA_SIGINFO | SA_ONSTACK | kSaRestorer;
  const KernelSigaction synchronous{plan.signal_entry, kFlags | SA_NODEFER, plan.signal_restorer,
                                    0};
  for (std::size_t i = 0; error == 0 && i < kSynchronous.size(); ++i) {
    error = set_action(kSynchronous[i], synchronous);
  }
  const KernelSigaction asynchronous{plan.signal_entry, kFlags, plan.signal_restorer,
                                     kAsynchronousSet};
  for (std::size_t i = 0; error == 0 && i < kAsynchronous.size(); ++i) {
    error = set_action(kAsynchronous[i], asynchronous);
  }
  if (error != 0) {
    return error;
  }
  stack_t stack{};
  stack.ss_sp = reinterpret_cast<void*>(abi::kCarrierSlots + abi::kSlotSignalStack);
  stack.ss_size = abi::kSlotSignalStackSize;
  error = raw_error(SYS_sigaltstack, &stack, nullptr);
  constexpr std::uint64_t kNothing = 0;
  return error != 0
             ? error
             : raw_error(SYS_rt_sigprocmask, SIG_SETMASK, &kNothing, nullptr, kSignalSetSize);
}

StepError limit_resources_after_fork(const Cell0Plan& plan) {
  // Injection obeys the descriptor limit of the process that receives.
  StepError error = lower_limit(RLIMIT_NOFILE, abi::kFdInjectedLast + 1);
  if (error == 0) {
    error = lower_limit(RLIMIT_CORE, 0);
  }
  if (error == 0) {
    error = lower_limit(RLIMIT_SIGPENDING, plan.max_pending_signals);
  }
  if (error == 0) {
    error = lower_limit(RLIMIT_NPROC, plan.max_processes);
  }
  return error;
}

StepError restrict_files_after_fork(const Cell0Plan& plan) {
  // Handles every right that the host knows and grants none.
  const auto* const version =
      std::find_if(kLandlock.begin(), kLandlock.end(),
                   [&](const LandlockVersion& one) { return one.abi <= plan.landlock_abi; });
  if (version == kLandlock.end()) {
    return 0;
  }
  const LandlockRules rules{version->files, version->network, version->scopes};
  const long ruleset = raw_call(SYS_landlock_create_ruleset, &rules, version->size, 0);
  if (ruleset < 0) {
    return static_cast<StepError>(-ruleset);
  }
  const StepError error = raw_error(SYS_landlock_restrict_self, ruleset, 0);
  (void)raw_call(SYS_close, ruleset);
  return error;
}

StepError take_ids_after_fork(const Cell0Plan& plan) {
  const StepError error = raw_error(SYS_setresgid, plan.gid, plan.gid, plan.gid);
  return error != 0 ? error : raw_error(SYS_setresuid, plan.uid, plan.uid, plan.uid);
}

StepError drop_capabilities_after_fork() {
  for (int capability = 0;; ++capability) {
    const StepError error = raw_error(SYS_prctl, PR_CAPBSET_DROP, capability, 0, 0, 0);
    if (error == EINVAL && capability > 0) {
      break;  // the host knows no more
    }
    if (error != 0) {
      return error;
    }
  }
  const StepError error = raw_error(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  if (error != 0) {
    return error;
  }
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  const std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> none{};
  return raw_error(SYS_capset, &header, none.data());
}

}  // namespace runhl::vmm::cell
