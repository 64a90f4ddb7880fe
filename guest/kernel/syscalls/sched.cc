// SPDX-License-Identifier: Apache-2.0
// Scheduling as programs ask for it. Policies, nice values and I/O priorities are kept and
// reported, under Linux's rules for who may set them; all programs have one weight here.
#include <linux/capability.h>
#include <linux/membarrier.h>
#include <linux/time_types.h>
#include <sched.h>
#include <sys/resource.h>

#include <algorithm>

#include "core/user_memory.h"
#include "proc/process_table.h"
#include "proc/rseq.h"
#include "sched/scheduler.h"
#include "sched/tick.h"
#include "syscalls/context.h"
#include "syscalls/handlers.h"

#ifndef SCHED_DEADLINE
#define SCHED_DEADLINE 6  // linux/sched.h
#endif
#ifndef SCHED_EXT
#define SCHED_EXT 7  // linux/sched.h
#endif

namespace runhl::kernel {

namespace {

constexpr int kResetOnFork = 0x4000'0000;  // SCHED_RESET_ON_FORK
constexpr int kMaxPriority = 99;
constexpr int kLowestNice = 19;
constexpr int kHighestNice = -20;

/// 0: the caller. EINVAL: negative. ESRCH.
Result<Ref<Task>> find_scheduled(std::uint64_t argument) {
  const auto tid = static_cast<std::int32_t>(argument);
  if (tid < 0) {
    return fail(EINVAL);
  }
  Ref<Task> task = tid == 0 ? Ref<Task>(&current()) : find_task(tid);
  if (task == nullptr) {
    return fail(ESRCH);
  }
  return task;
}

/// The calls on affinity do not tell a negative number from one that nobody has.
Result<Ref<Task>> find_affine(std::uint64_t argument) {
  return static_cast<std::int32_t>(argument) < 0 ? fail(ESRCH) : find_scheduled(argument);
}

bool owns(const Task& target) {
  const Credentials& caller = current().credentials;
  return caller.euid == target.credentials.euid || caller.euid == target.credentials.uid ||
         caller.has(CAP_SYS_NICE);
}

bool is_real_time(int policy) {
  return policy == SCHED_FIFO || policy == SCHED_RR;
}

bool is_policy(int policy) {
  return is_real_time(policy) || policy == SCHED_OTHER || policy == SCHED_BATCH ||
         policy == SCHED_IDLE;
}

/// What Linux lets an unprivileged caller do (sched(7), "Privileges and resource limits").
Result<void> check_policy_change(const Task& task, int policy, int priority) {
  if (current().credentials.has(CAP_SYS_NICE)) {
    return {};
  }
  if (!owns(task)) {
    return fail(EPERM);
  }
  const auto& limits = task.process->rlimits;
  if (is_real_time(policy)) {
    const std::uint64_t limit = limits[RLIMIT_RTPRIO].soft;
    const bool changes = policy != task.scheduling.policy;
    const bool raises = priority > task.scheduling.priority;
    if ((changes && limit == 0) || (raises && static_cast<std::uint64_t>(priority) > limit)) {
      return fail(EPERM);
    }
  }
  const bool leaves_idle = task.scheduling.policy == SCHED_IDLE && policy != SCHED_IDLE;
  if (leaves_idle &&
      static_cast<std::uint64_t>(20 - task.scheduling.nice) > limits[RLIMIT_NICE].soft) {
    return fail(EPERM);
  }
  return {};
}

SyscallResult set_policy(Task& task, int policy, int priority) {
  const bool resets = policy >= 0 && (policy & kResetOnFork) != 0;
  policy = policy < 0 ? policy : policy & ~kResetOnFork;
  if (!is_policy(policy)) {
    return fail(EINVAL);
  }
  const bool valid =
      is_real_time(policy) ? priority >= 1 && priority <= kMaxPriority : priority == 0;
  if (!valid) {
    return fail(EINVAL);
  }
  TRY(check_policy_change(task, policy, priority));
  task.scheduling.policy = policy;
  task.scheduling.priority = priority;
  task.scheduling.reset_on_fork = resets;
  return 0;
}

SyscallResult priority_bound(std::uint64_t policy, std::uint64_t real_time) {
  switch (policy) {
    case SCHED_FIFO:
    case SCHED_RR:
      return real_time;
    case SCHED_OTHER:
    case SCHED_BATCH:
    case SCHED_IDLE:
    case SCHED_DEADLINE:
    case SCHED_EXT:
      return 0;
    default:
      return fail(EINVAL);
  }
}

std::uint64_t all_cpus() {
  return (1ULL << vcpu_count()) - 1;
}

}  // namespace

SyscallResult sys_sched_yield(const SyscallArgs&) {
  yield();
  return 0;
}

SyscallResult sys_sched_getaffinity(const SyscallArgs& args) {
  const auto length = static_cast<std::uint32_t>(args.a1);
  if (length < sizeof(std::uint64_t) || length % sizeof(std::uint64_t) != 0) {
    return fail(EINVAL);
  }
  const Ref<Task> task = TRY(find_affine(args.a0));
  const std::uint64_t mask = task->scheduling.affinity & all_cpus();
  TRY(UserOut<std::uint64_t>(args.a2).copy_out(mask));
  return sizeof(mask);
}

SyscallResult sys_sched_setaffinity(const SyscallArgs& args) {
  std::uint64_t mask = 0;
  const auto length = static_cast<std::uint32_t>(args.a1);
  TRY(copy_from_user(&mask, args.a2, std::min<std::size_t>(length, sizeof(mask))));
  const Ref<Task> task = TRY(find_affine(args.a0));
  if (!owns(*task)) {
    return fail(EPERM);
  }
  if ((mask & all_cpus()) == 0) {
    return fail(EINVAL);
  }
  task->scheduling.affinity = mask;
  return 0;
}

SyscallResult sys_sched_setscheduler(const SyscallArgs& args) {
  const auto policy = static_cast<int>(args.a1);
  if (policy < 0 || args.a2 == 0) {
    return fail(EINVAL);
  }
  const auto priority = TRY(UserIn<std::int32_t>(args.a2).copy_in());
  const Ref<Task> task = TRY(find_scheduled(args.a0));
  return set_policy(*task, policy, priority);
}

SyscallResult sys_sched_setparam(const SyscallArgs& args) {
  if (args.a1 == 0) {
    return fail(EINVAL);
  }
  const auto priority = TRY(UserIn<std::int32_t>(args.a1).copy_in());
  const Ref<Task> task = TRY(find_scheduled(args.a0));
  const int keep = task->scheduling.reset_on_fork ? kResetOnFork : 0;
  return set_policy(*task, task->scheduling.policy | keep, priority);
}

SyscallResult sys_sched_getscheduler(const SyscallArgs& args) {
  const TaskScheduling& scheduling = TRY(find_scheduled(args.a0))->scheduling;
  const int reset = scheduling.reset_on_fork ? kResetOnFork : 0;
  return static_cast<std::uint64_t>(scheduling.policy | reset);
}

SyscallResult sys_sched_getparam(const SyscallArgs& args) {
  if (args.a1 == 0) {
    return fail(EINVAL);
  }
  const Ref<Task> task = TRY(find_scheduled(args.a0));
  TRY(UserOut<std::int32_t>(args.a1).copy_out(task->scheduling.priority));
  return 0;
}

SyscallResult sys_sched_rr_get_interval(const SyscallArgs& args) {
  const Ref<Task> task = TRY(find_scheduled(args.a0));
  constexpr Nanoseconds kRoundRobin = 100'000'000;  // RR_TIMESLICE
  Nanoseconds slice = kTickPeriod;
  if (task->scheduling.policy == SCHED_RR) {
    slice = kRoundRobin;
  } else if (task->scheduling.policy == SCHED_FIFO) {
    slice = 0;
  }
  TRY(UserOut<__kernel_timespec>(args.a1).copy_out({0, slice}));
  return 0;
}

namespace {

struct SchedAttributes {  // struct sched_attr, its first version
  std::uint32_t size, policy;
  std::uint64_t flags;
  std::int32_t nice;
  std::uint32_t priority;
  std::uint64_t runtime, deadline, period;
};
static_assert(sizeof(SchedAttributes) == 48);  // SCHED_ATTR_SIZE_VER0
constexpr std::uint64_t kAttrResetOnFork = 1;

/// E2BIG: it sets bytes that this kernel does not know.
Result<SchedAttributes> read_attributes(UserAddress address) {
  auto size = TRY(UserIn<std::uint32_t>(address).copy_in());
  size = size == 0 ? sizeof(SchedAttributes) : size;
  if (size < sizeof(SchedAttributes) || size > kPageSize) {
    (void)UserOut<std::uint32_t>(address).copy_out(sizeof(SchedAttributes));  // as Linux does
    return fail(E2BIG);
  }
  for (std::uint32_t at = sizeof(SchedAttributes); at < size; ++at) {
    if (TRY(UserIn<std::uint8_t>(address + at).copy_in()) != 0) {
      (void)UserOut<std::uint32_t>(address).copy_out(sizeof(SchedAttributes));
      return fail(E2BIG);
    }
  }
  return UserIn<SchedAttributes>(address).copy_in();
}

/// nice and setpriority: EACCES where the limit forbids it.
Result<void> check_nice(const Task& task, int nice) {
  const auto wanted = static_cast<std::uint64_t>(20 - nice);
  const bool lowers = nice >= task.scheduling.nice;
  if (lowers || wanted <= task.process->rlimits[RLIMIT_NICE].soft ||
      current().credentials.has(CAP_SYS_NICE)) {
    return {};
  }
  return fail(EACCES);
}

}  // namespace

SyscallResult sys_sched_setattr(const SyscallArgs& args) {
  if (args.a1 == 0 || args.a2 != 0) {
    return fail(EINVAL);
  }
  const SchedAttributes attributes = TRY(read_attributes(args.a1));
  const Ref<Task> task = TRY(find_scheduled(args.a0));
  const auto policy = static_cast<int>(attributes.policy);
  if (policy == SCHED_DEADLINE) {
    return fail(current().credentials.has(CAP_SYS_NICE) ? EINVAL : EPERM);
  }
  if ((attributes.flags & ~kAttrResetOnFork) != 0 || policy < 0) {
    return fail(EINVAL);
  }
  const int nice = std::clamp(attributes.nice, kHighestNice, kLowestNice);
  if (!is_real_time(policy) && !check_nice(*task, nice)) {
    return fail(EPERM);
  }
  const int resets = (attributes.flags & kAttrResetOnFork) != 0 ? kResetOnFork : 0;
  TRY(set_policy(*task, policy | resets, static_cast<int>(attributes.priority)));
  if (!is_real_time(policy)) {
    task->scheduling.nice = nice;
  }
  return 0;
}

SyscallResult sys_sched_getattr(const SyscallArgs& args) {
  const auto size = static_cast<std::uint32_t>(args.a2);
  if (args.a1 == 0 || size < sizeof(SchedAttributes) || size > kPageSize || args.a3 != 0) {
    return fail(EINVAL);
  }
  const TaskScheduling scheduling = TRY(find_scheduled(args.a0))->scheduling;
  SchedAttributes out{};
  out.size = sizeof(out);
  out.policy = static_cast<std::uint32_t>(scheduling.policy);
  out.flags = scheduling.reset_on_fork ? kAttrResetOnFork : 0;
  out.nice = is_real_time(scheduling.policy) ? 0 : scheduling.nice;
  out.priority = static_cast<std::uint32_t>(scheduling.priority);
  TRY(UserOut<SchedAttributes>(args.a1).copy_out(out));
  return 0;
}

SyscallResult sys_sched_get_priority_max(const SyscallArgs& args) {
  return priority_bound(args.a0, kMaxPriority);
}
SyscallResult sys_sched_get_priority_min(const SyscallArgs& args) {
  return priority_bound(args.a0, 1);
}

// ---- nice values, I/O priorities ----------------------------------------------------------------

namespace {

/// Calls `act` with every thread that (which, who) of getpriority(2) and ioprio_get(2) names.
/// ESRCH: there is none.
template <typename F>
Result<void> for_each_named(std::uint64_t which, std::uint64_t who, F&& act) {
  const auto number = static_cast<std::int32_t>(who);
  const Task& caller = current();
  const ProcessTable::Guard family;
  bool found = false;
  Result<void> result;
  for (Pid& id : family->numbers()) {
    Task* const task = id.task;
    if (task == nullptr) {
      continue;
    }
    bool named = false;
    if (which == PRIO_PROCESS) {
      named = number == 0 ? task == &caller : task->tid == number;
    } else if (which == PRIO_PGRP) {
      const std::int32_t group = task->process->group->id->number;
      named = number == 0 ? task->process->group == caller.process->group : group == number;
    } else {
      const std::uint32_t uid = number == 0 ? caller.credentials.uid : static_cast<uid_t>(number);
      named = task->credentials.uid == uid;
    }
    if (named) {
      found = true;
      const Result<void> done = act(*task);
      result = done ? result : done;
    }
  }
  if (!found) {
    return fail(ESRCH);
  }
  return result;
}

}  // namespace

SyscallResult sys_getpriority(const SyscallArgs& args) {
  const auto which = static_cast<std::uint32_t>(args.a0);
  if (which > PRIO_USER) {
    return fail(EINVAL);
  }
  int best = kLowestNice;
  TRY(for_each_named(which, args.a1, [&best](const Task& task) -> Result<void> {
    best = std::min(best, task.scheduling.nice);
    return {};
  }));
  return static_cast<std::uint64_t>(20 - best);  // 1..40, as the system call answers
}

SyscallResult sys_setpriority(const SyscallArgs& args) {
  const auto which = static_cast<std::uint32_t>(args.a0);
  if (which > PRIO_USER) {
    return fail(EINVAL);
  }
  const int nice = std::clamp(static_cast<std::int32_t>(args.a2), kHighestNice, kLowestNice);
  TRY(for_each_named(which, args.a1, [nice](Task& task) -> Result<void> {
    if (!owns(task)) {
      return fail(EPERM);
    }
    TRY(check_nice(task, nice));
    task.scheduling.nice = nice;
    return {};
  }));
  return 0;
}

namespace {

// linux/ioprio.h is not on older hosts.
constexpr std::uint32_t kIoWhoProcess = 1;
constexpr std::uint32_t kIoWhoUser = 3;
constexpr int kIoClassShift = 13;
constexpr int kIoRealTime = 1;
constexpr int kIoBestEffort = 2;
constexpr int kIoIdle = 3;
constexpr int kIoLevels = 8;

}  // namespace

SyscallResult sys_ioprio_get(const SyscallArgs& args) {
  const auto which = static_cast<std::uint32_t>(args.a0);
  if (which < kIoWhoProcess || which > kIoWhoUser) {
    return fail(EINVAL);
  }
  std::uint64_t best = 0;
  TRY(for_each_named(which - kIoWhoProcess, args.a1, [&best](const Task& task) -> Result<void> {
    const std::uint64_t value = task.scheduling.io_priority;
    best = best == 0 ? value : std::min(best, value);
    return {};
  }));
  return best;
}

SyscallResult sys_ioprio_set(const SyscallArgs& args) {
  const auto which = static_cast<std::uint32_t>(args.a0);
  const auto value = static_cast<std::uint32_t>(args.a2);
  const int io_class = static_cast<int>(value >> kIoClassShift);
  const int level = static_cast<int>(value & ((1U << kIoClassShift) - 1));
  const Credentials& credentials = current().credentials;
  if (io_class > kIoIdle || (io_class == 0 && level != 0) ||
      (io_class != kIoIdle && level >= kIoLevels)) {
    return fail(EINVAL);
  }
  if (io_class == kIoRealTime && !credentials.has(CAP_SYS_NICE) &&
      !credentials.has(CAP_SYS_ADMIN)) {
    return fail(EPERM);
  }
  if (which < kIoWhoProcess || which > kIoWhoUser) {
    return fail(EINVAL);
  }
  TRY(for_each_named(which - kIoWhoProcess, args.a1, [value](Task& task) -> Result<void> {
    if (!owns(task)) {
      return fail(EPERM);
    }
    task.scheduling.io_priority = value;
    return {};
  }));
  return 0;
}

// ---- CPUs ---------------------------------------------------------------------------------------

SyscallResult sys_getcpu(const SyscallArgs& args) {
  const std::uint32_t cpu = this_cpu().id;
  if (args.a0 != 0) {
    TRY(UserOut<std::uint32_t>(args.a0).copy_out(cpu));
  }
  if (args.a1 != 0) {
    TRY(UserOut<std::uint32_t>(args.a1).copy_out(0));
  }
  return 0;
}

SyscallResult sys_rseq(const SyscallArgs& args) {
  TRY(rseq_register(current(), {args.a0, to_u32(args.a1), to_u32(args.a2), to_u32(args.a3)}));
  return 0;
}

/// A cell's threads run one at a time on its one carrier, and a switch between them, or to another
/// cell, is a barrier already: what remains is who may ask.
SyscallResult sys_membarrier(const SyscallArgs& args) {
  constexpr std::uint32_t kRegistrations = MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED |
                                           MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED |
                                           MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE |
                                           MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ;
  constexpr std::uint32_t kPrivate = MEMBARRIER_CMD_PRIVATE_EXPEDITED |
                                     MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE |
                                     MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ;
  constexpr std::uint32_t kAll =
      kRegistrations | kPrivate | MEMBARRIER_CMD_GLOBAL | MEMBARRIER_CMD_GLOBAL_EXPEDITED;
  const std::uint32_t command = to_u32(args.a0);
  const std::uint32_t flags = to_u32(args.a1);
  const bool names_cpu =
      command == MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ && flags == MEMBARRIER_CMD_FLAG_CPU;
  if (flags != 0 && !names_cpu) {
    return fail(EINVAL);
  }
  if (command == MEMBARRIER_CMD_QUERY) {
    return kAll;
  }
  if ((command & kAll) == 0 || (command & (command - 1)) != 0) {
    return fail(EINVAL);
  }
  Process& process = *current().process;
  if ((command & kRegistrations) != 0) {
    process.membarrier_registered.fetch_or(command);
  } else if ((command & kPrivate) != 0 &&
             (process.membarrier_registered.load() & (command << 1)) == 0) {
    return fail(EPERM);  // each registration is the bit above its command
  }
  std::atomic_thread_fence(std::memory_order_seq_cst);
  return 0;
}

}  // namespace runhl::kernel
