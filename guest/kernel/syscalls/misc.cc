// SPDX-License-Identifier: Apache-2.0
// Identity of the system, limits, per-process switches.
#include <asm/prctl.h>
#include <linux/capability.h>
#include <linux/prctl.h>
#include <linux/random.h>
#include <linux/securebits.h>
#include <linux/sysinfo.h>
#include <linux/utsname.h>
#include <sys/resource.h>

#include <algorithm>

#include "arch/x86_64/fpu.h"
#include "core/random.h"
#include "core/settings.h"
#include "core/user_memory.h"
#include "fs/proc/load_average.h"
#include "fs/proc/memory_info.h"
#include "fs/proc/process_view.h"
#include "host/clock.h"
#include "host/events.h"
#include "proc/cpu_time.h"
#include "proc/process.h"
#include "runhl/abi/layout.h"
#include "sched/long_work.h"
#include "sched/scheduler.h"
#include "syscalls/handlers.h"

namespace runhl::kernel {

namespace {

template <std::size_t N>
void set_field(char (&field)[N], std::string_view text) {
  std::copy_n(text.begin(), std::min(text.size(), N - 1), field);
}

}  // namespace

SyscallResult sys_uname(const SyscallArgs& args) {
  new_utsname name{};
  set_field(name.sysname, kSystemName);
  set_field(name.nodename, boot_string(boot_config().hostname));
  set_field(name.release, kSystemRelease);
  set_field(name.version, kSystemVersion);
  set_field(name.machine, "x86_64");
  set_field(name.domainname, boot_string(boot_config().domainname));
  TRY(UserOut<new_utsname>(args.a0).copy_out(name));
  return 0;
}

SyscallResult sys_sysinfo(const SyscallArgs& args) {
  struct sysinfo info{};
  const MemoryInfo memory = memory_info();
  const LoadAverages load = load_averages();
  info.uptime = (monotonic_now() - boot_time()) / kNanosPerSecond;
  for (std::size_t i = 0; i < std::size(info.loads); ++i) {
    // SI_LOAD_SHIFT is 16.
    info.loads[i] = (std::uint64_t{load.hundredths[i]} << 16) / 100;
  }
  info.totalram = memory.total;
  info.freeram = memory.free;
  info.sharedram = memory.shared;
  info.procs = static_cast<std::uint16_t>(process_counts().tasks);
  info.mem_unit = 1;
  TRY(UserOut<struct sysinfo>(args.a0).copy_out(info));
  return 0;
}

SyscallResult sys_getrandom(const SyscallArgs& args) {
  constexpr std::uint64_t kKnownFlags = GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE;
  if ((args.a2 & ~kKnownFlags) != 0) {
    return fail(EINVAL);
  }
  constexpr std::size_t kUninterrupted = 4096;     // a signal ends it behind so many
  constexpr std::size_t kMaxRequest = 33'554'431;  // as Linux: INT_MAX >> 6
  const std::size_t wanted = std::min<std::size_t>(args.a1, kMaxRequest);
  std::array<std::byte, 256> chunk{};
  std::size_t done = 0;
  while (done < wanted) {
    const std::size_t length = std::min(wanted - done, chunk.size());
    random_bytes(std::span(chunk).first(length));
    const std::size_t copied = copy_to_user_partial(args.a0 + done, chunk.data(), length);
    done += copied;
    if (copied < length || (done % kUninterrupted == 0 && !take_breath())) {
      break;
    }
  }
  if (done == 0 && wanted != 0) {
    return fail(EFAULT);
  }
  return done;
}

// ---- segment bases, prctl
// ------------------------------------------------------------------------

SyscallResult sys_arch_prctl(const SyscallArgs& args) {
  Task& task = current();
  switch (static_cast<std::uint32_t>(args.a0)) {
    case ARCH_SET_FS:
      if (args.a1 >= abi::kUserEnd) {
        return fail(EPERM);
      }
      set_user_fs_base(args.a1);
      return 0;
    case ARCH_GET_FS:
      TRY(UserOut<std::uint64_t>(args.a1).copy_out(user_fs_base()));
      return 0;
    case ARCH_SET_GS:
      // %gs is the carrier's; a program with one of its own needs the swapping entry.
      if (args.a1 != 0) {
        return fail(EOPNOTSUPP);
      }
      return 0;
    case ARCH_GET_GS:
      TRY(UserOut<std::uint64_t>(args.a1).copy_out(task.gs_base));
      return 0;
    default:
      return fail(EINVAL);
  }
}

namespace {

Result<std::uint64_t> capability_argument(std::uint64_t value) {
  if (value > CAP_LAST_CAP) {
    return fail(EINVAL);
  }
  return 1ULL << value;
}

SyscallResult prctl_ambient(Credentials& c, const SyscallArgs& args) {
  if ((args.a3 | args.a4) != 0 || (args.a1 == PR_CAP_AMBIENT_CLEAR_ALL && args.a2 != 0)) {
    return fail(EINVAL);
  }
  if (args.a1 == PR_CAP_AMBIENT_CLEAR_ALL) {
    c.ambient = 0;
    return 0;
  }
  const std::uint64_t bit = TRY(capability_argument(args.a2));
  switch (args.a1) {
    case PR_CAP_AMBIENT_IS_SET:
      return (c.ambient & bit) != 0 ? 1 : 0;
    case PR_CAP_AMBIENT_LOWER:
      c.ambient &= ~bit;
      return 0;
    case PR_CAP_AMBIENT_RAISE:
      if ((c.permitted & c.inheritable & bit) == 0 ||
          (c.securebits & SECBIT_NO_CAP_AMBIENT_RAISE) != 0) {
        return fail(EPERM);
      }
      c.ambient |= bit;
      return 0;
    default:
      return fail(EINVAL);
  }
}

SyscallResult prctl_name(Task& task, std::uint32_t option, UserAddress address) {
  if (option == PR_GET_NAME) {
    TRY(copy_to_user(address, task.name.data(), task.name.size()));
    return 0;
  }
  std::array<char, 16> name{};
  const auto length = copy_string_from_user(name, address);
  if (!length && to_int(length.error()) != ENAMETOOLONG) {
    return tl::unexpected(length.error());
  }
  name.back() = '\0';
  task.name = name;
  return 0;
}

SyscallResult prctl_capabilities(Credentials& c, std::uint32_t option, const SyscallArgs& args) {
  switch (option) {
    case PR_CAPBSET_READ:
      return (c.bounding & TRY(capability_argument(args.a1))) != 0 ? 1 : 0;
    case PR_CAPBSET_DROP: {
      if (!c.has(CAP_SETPCAP)) {
        return fail(EPERM);
      }
      const std::uint64_t bit = TRY(capability_argument(args.a1));
      c.bounding &= ~bit;
      renew_credentials(c);
      return 0;
    }
    case PR_SET_KEEPCAPS:
      if (args.a1 > 1) {
        return fail(EINVAL);
      }
      c.securebits = args.a1 == 1 ? c.securebits | SECBIT_KEEP_CAPS
                                  : c.securebits & ~std::uint32_t{SECBIT_KEEP_CAPS};
      renew_credentials(c);
      return 0;
    case PR_GET_KEEPCAPS:
      return (c.securebits & SECBIT_KEEP_CAPS) != 0 ? 1 : 0;
    case PR_GET_SECUREBITS:
      return c.securebits;
    case PR_SET_SECUREBITS:
      if (!c.has(CAP_SETPCAP)) {
        return fail(EPERM);
      }
      c.securebits = static_cast<std::uint32_t>(args.a1);
      renew_credentials(c);
      return 0;
    default:
      return prctl_ambient(c, args);
  }
}

}  // namespace

SyscallResult sys_prctl(const SyscallArgs& args) {
  Task& task = current();
  Process& process = *task.process;
  const auto option = static_cast<std::uint32_t>(args.a0);
  switch (option) {
    case PR_SET_NAME:
    case PR_GET_NAME:
      return prctl_name(task, option, args.a1);
    case PR_SET_NO_NEW_PRIVS:
      if (args.a1 != 1 || args.a2 != 0 || args.a3 != 0 || args.a4 != 0) {
        return fail(EINVAL);
      }
      process.no_new_privileges = true;
      return 0;
    case PR_GET_NO_NEW_PRIVS:
      if ((args.a1 | args.a2 | args.a3 | args.a4) != 0) {
        return fail(EINVAL);
      }
      return process.no_new_privileges ? 1 : 0;
    case PR_SET_DUMPABLE:
      if (args.a1 > 1) {
        return fail(EINVAL);
      }
      process.dumpable = args.a1 == 1;
      return 0;
    case PR_GET_DUMPABLE:
      return process.dumpable ? 1 : 0;
    case PR_SET_TIMERSLACK:
      task.scheduling.timer_slack =
          static_cast<std::int64_t>(args.a1) > 0 ? args.a1 : task.scheduling.default_timer_slack;
      return 0;
    case PR_GET_TIMERSLACK:
      return task.scheduling.timer_slack;
    case PR_GET_TIMING:
      return PR_TIMING_STATISTICAL;
    case PR_SET_TIMING:
      return args.a1 == PR_TIMING_STATISTICAL ? SyscallResult(0) : fail(EINVAL);
    case PR_SET_PDEATHSIG:
      if (args.a1 > kSignalCount) {
        return fail(EINVAL);
      }
      task.parent_death_signal = static_cast<std::int32_t>(args.a1);
      return 0;
    case PR_GET_PDEATHSIG:
      TRY(UserOut<std::int32_t>(args.a1).copy_out(task.parent_death_signal));
      return 0;
    case PR_SET_CHILD_SUBREAPER:
      process.child_subreaper = args.a1 != 0;
      return 0;
    case PR_GET_CHILD_SUBREAPER:
      TRY(UserOut<std::int32_t>(args.a1).copy_out(process.child_subreaper ? 1 : 0));
      return 0;
    case PR_CAPBSET_READ:
    case PR_CAPBSET_DROP:
    case PR_SET_KEEPCAPS:
    case PR_GET_KEEPCAPS:
    case PR_GET_SECUREBITS:
    case PR_SET_SECUREBITS:
    case PR_CAP_AMBIENT:
      return prctl_capabilities(task.credentials, option, args);
    default:
      return fail(EINVAL);
  }
}

// ---- limits
// ----------------------------------------------------------------------------------------

namespace {

struct Limit {  // struct rlimit64; struct rlimit is the same on x86-64
  std::uint64_t soft, hard;
};

Result<abi::BootRlimit*> find_limit(std::uint64_t resource) {
  auto& limits = current().process->rlimits;
  if (resource >= limits.size()) {
    return fail(EINVAL);
  }
  return &limits[resource];
}

Result<void> set_limit(abi::BootRlimit& limit, const Limit& fresh) {
  if (fresh.soft > fresh.hard) {
    return fail(EINVAL);
  }
  if (fresh.hard > limit.hard && !current().credentials.has(CAP_SYS_RESOURCE)) {
    return fail(EPERM);
  }
  limit.soft = fresh.soft;
  limit.hard = fresh.hard;
  this_cpu().raise(kPendTick);  // RLIMIT_CPU may be nearer now
  return {};
}

}  // namespace

SyscallResult sys_getrlimit(const SyscallArgs& args) {
  const abi::BootRlimit* const limit = TRY(find_limit(args.a0));
  TRY(UserOut<Limit>(args.a1).copy_out({limit->soft, limit->hard}));
  return 0;
}

SyscallResult sys_setrlimit(const SyscallArgs& args) {
  abi::BootRlimit* const limit = TRY(find_limit(args.a0));
  TRY(set_limit(*limit, TRY(UserIn<Limit>(args.a1).copy_in())));
  return 0;
}

SyscallResult sys_prlimit64(const SyscallArgs& args) {
  const auto pid = static_cast<std::int32_t>(args.a0);
  if (pid != 0 && pid != current().process->pid) {
    return fail(ESRCH);
  }
  abi::BootRlimit* const limit = TRY(find_limit(args.a1));
  const Limit old{limit->soft, limit->hard};
  if (args.a2 != 0) {
    TRY(set_limit(*limit, TRY(UserIn<Limit>(args.a2).copy_in())));
  }
  if (args.a3 != 0) {
    TRY(UserOut<Limit>(args.a3).copy_out(old));
  }
  return 0;
}

SyscallResult sys_getrusage(const SyscallArgs& args) {
  Process& process = *current().process;
  CpuTime time;
  switch (static_cast<std::int32_t>(args.a0)) {
    case RUSAGE_SELF:
      time = process_cpu_time(process);
      break;
    case RUSAGE_CHILDREN:
      time = process_children_time(process);
      break;
    case RUSAGE_THREAD:
      time = task_cpu_time(current());
      break;
    default:
      return fail(EINVAL);
  }
  rusage usage{};
  usage.ru_utime = {time.user / kNanosPerSecond, time.user % kNanosPerSecond / 1000};
  usage.ru_stime = {time.system / kNanosPerSecond, time.system % kNanosPerSecond / 1000};
  TRY(UserOut<rusage>(args.a1).copy_out(usage));
  return 0;
}

}  // namespace runhl::kernel
