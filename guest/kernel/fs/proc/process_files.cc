// SPDX-License-Identifier: Apache-2.0
// The files of /proc/PID and /proc/PID/task/TID that are text about the process.
#include "fs/proc/process_files.h"

#include <linux/sched.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <bit>

#include "core/linux_signal.h"
#include "fs/fd_table.h"
#include "fs/fs_context.h"
#include "fs/proc/memory_info.h"
#include "fs/proc/process_view.h"
#include "host/clock.h"
#include "mm/address_space.h"
#include "proc/program_image.h"
#include "proc/signals.h"
#include "runhl/abi/layout.h"
#include "sched/scheduler.h"

namespace runhl::kernel {
namespace {

constexpr Nanoseconds kNanosPerTick = kNanosPerSecond / 100;  // USER_HZ

std::string_view name_of(const ProcessStatus& status) {
  return status.name.data();
}

SignalSet pending_of(const SignalQueue& queue) {
  return queue.pending.load();
}

struct SignalSets {
  SignalSet ignored = 0, caught = 0, pending = 0, shared = 0, blocked = 0;
};

SignalSets signal_sets(const ProcessTarget& target) {
  SignalSets sets;
  if (target.task == nullptr || target.process->signals == nullptr) {
    return sets;
  }
  const SignalState& state = *target.process->signals;
  for (int number = 1; number <= kSignalCount; ++number) {
    const std::uint64_t handler = state.action(number).handler;
    sets.ignored |= handler == 1 ? signal_bit(number) : 0;
    sets.caught |= handler > 1 ? signal_bit(number) : 0;
  }
  sets.pending = pending_of(target.task->signals.queue);
  sets.shared = pending_of(state.shared);
  sets.blocked = target.task->signals.blocked;
  return sets;
}

// ---- stat, statm, status -----------------------------------------------------------------------

/// As Linux's task_prio: 0..39 around a nice value of 0, negative in real time.
int shown_priority(const TaskScheduling& scheduling) {
  const bool real_time = scheduling.policy == SCHED_FIFO || scheduling.policy == SCHED_RR;
  return real_time ? -1 - scheduling.priority : 20 + scheduling.nice;
}

Result<void> show_stat(TextWriter& out, const Subject& subject) {
  const ProcessTarget target = TRY(find_target(subject));
  const ProcessStatus status = TRY(process_state(target));
  const ProcessMemory memory = process_memory(target);
  const SignalSets signals = signal_sets(target);
  const Nanoseconds started = target.process->start_time - boot_time();
  const CpuTimes times = cpu_times(target, subject.tid != 0);
  const CpuTimes children = children_cpu_times(target);
  const bool inspect = may_inspect(target).has_value();
  const ProgramImage* const image = target.process->image.get();
  const TaskScheduling scheduling =
      target.task != nullptr ? target.task->scheduling : TaskScheduling{};
  const bool told = inspect && image != nullptr && target.task != nullptr;
  out.add(status.tid, " (", name_of(status), ") ", status.state, ' ', status.parent, ' ',
          status.group, ' ', status.session, ' ', status.terminal, ' ', status.foreground,
          " 4194560 ", memory.faults, " 0 0 0 ", times.user / kNanosPerTick, ' ',
          times.system / kNanosPerTick, ' ', children.user / kNanosPerTick, ' ',
          children.system / kNanosPerTick, ' ', shown_priority(scheduling), ' ', scheduling.nice,
          ' ', status.threads, " 0 ", std::max<Nanoseconds>(started, 0) / kNanosPerTick, ' ',
          memory.total, ' ', memory.resident / kPageSize, ' ',
          target.process->rlimits[RLIMIT_RSS].soft, ' ');
  if (told) {
    out.add(image->code_start, ' ', image->code_end, ' ', image->stack_start, " 0 0 ");
  } else {
    out.add("0 0 0 0 0 ");
  }
  constexpr SignalSet kOldSignals = 0x7fff'ffff;  // the first 31, as this old format has them
  out.add(signals.pending & kOldSignals, ' ', signals.blocked & kOldSignals, ' ',
          signals.ignored & kOldSignals, ' ', signals.caught & kOldSignals, " 0 0 0 ",
          status.exit_signal != 0 ? status.exit_signal : SIGCHLD, " 0 ", scheduling.priority, ' ',
          scheduling.policy, " 0 0 0 ");
  if (told) {
    out.add(image->data_start, ' ', image->data_end, ' ', heap_start(target), ' ',
            image->arguments_start, ' ', image->arguments_start + image->arguments.view().size(),
            ' ', image->environment_start, ' ',
            image->environment_start + image->environment.view().size(), ' ');
  } else {
    out.add("0 0 0 0 0 0 0 ");
  }
  out.add(inspect && target.task == nullptr ? target.process->wait_status : 0, '\n');
  return {};
}

Result<void> show_statm(TextWriter& out, const Subject& subject) {
  const ProcessMemory memory = process_memory(TRY(find_target(subject)));
  out.add(memory.total / kPageSize, ' ', memory.resident / kPageSize, ' ',
          (memory.file + memory.shared) / kPageSize, ' ', memory.text / kPageSize, " 0 ",
          (memory.data + memory.stack) / kPageSize, " 0\n");
  return {};
}

void add_ids(TextWriter& out, std::string_view name, const std::array<std::uint32_t, 4>& ids) {
  out.add(name, ids[0], '\t', ids[1], '\t', ids[2], '\t', ids[3], '\n');
}

void add_identity(TextWriter& out, const ProcessStatus& status) {
  const Credentials& c = status.credentials;
  add_ids(out, "Uid:\t", {c.uid, c.euid, c.suid, c.fsuid});
  add_ids(out, "Gid:\t", {c.gid, c.egid, c.sgid, c.fsgid});
}

void add_kib(TextWriter& out, std::string_view name, std::uint64_t bytes) {
  out.add(name, Decimal{.value = bytes / 1024, .width = 8}, " kB\n");
}

void add_memory(TextWriter& out, const ProcessMemory& memory) {
  add_kib(out, "VmPeak:\t", std::max(memory.peak_total, memory.total));
  add_kib(out, "VmSize:\t", memory.total);
  add_kib(out, "VmLck:\t", memory.locked);
  add_kib(out, "VmPin:\t", 0);
  add_kib(out, "VmHWM:\t", std::max(memory.peak_resident, memory.resident));
  add_kib(out, "VmRSS:\t", memory.resident);
  add_kib(out, "RssAnon:\t", memory.anonymous);
  add_kib(out, "RssFile:\t", memory.file);
  add_kib(out, "RssShmem:\t", memory.shared);
  add_kib(out, "VmData:\t", memory.data);
  add_kib(out, "VmStk:\t", memory.stack);
  add_kib(out, "VmExe:\t", memory.text);
  add_kib(out, "VmLib:\t", memory.library);
  add_kib(out, "VmPTE:\t", 0);
  add_kib(out, "VmSwap:\t", 0);
  add_kib(out, "HugetlbPages:\t", 0);
  out.add("CoreDumping:\t0\nTHP_enabled:\t1\n");
}

void add_set(TextWriter& out, std::string_view name, std::uint64_t set) {
  out.add(name, Hex{.value = set, .width = 16}, '\n');
}

void add_cpus(TextWriter& out) {
  const std::uint32_t count = vcpu_count();
  const std::uint64_t mask = count >= 64 ? ~0ULL : (1ULL << count) - 1;
  out.add("Cpus_allowed:\t", Hex{.value = mask, .width = (count + 3) / 4},
          "\nCpus_allowed_list:\t0");
  if (count > 1) {
    out.add('-', count - 1);
  }
  out.add("\nMems_allowed:\t1\nMems_allowed_list:\t0\n");
}

Result<void> show_status(TextWriter& out, const Subject& subject) {
  const ProcessTarget target = TRY(find_target(subject));
  const ProcessStatus status = TRY(process_state(target));
  const SignalSets signals = signal_sets(target);
  const Credentials& c = status.credentials;
  std::uint32_t umask = 0;
  std::size_t descriptors = 0;
  if (const Ref<FsContext> fs = fs_of(target)) {
    umask = fs->umask();
  }
  if (const Ref<FdTable> files = files_of(target)) {
    descriptors = std::bit_ceil(std::max<std::size_t>(files->capacity(), 64));  // as Linux's grow
  }
  out.add("Name:\t");
  out.add_escaped(name_of(status), "\n\\");
  out.add('\n');
  if (target.task != nullptr) {
    out.add("Umask:\t0");
    out.add(umask < 0100 ? "0" : "", umask < 010 ? "0" : "", Octal{.value = umask}, '\n');
  }
  out.add("State:\t", status.state, " (", state_name(status.state), ")\nTgid:\t", status.pid,
          "\nNgid:\t0\nPid:\t", status.tid, "\nPPid:\t", status.parent, "\nTracerPid:\t0\n");
  add_identity(out, status);
  out.add("FDSize:\t", descriptors, "\nGroups:\t");
  for (std::uint32_t i = 0; i < c.group_count; ++i) {
    out.add(c.groups[i], ' ');
  }
  out.add(c.group_count == 0 ? " " : "");
  out.add("\nNStgid:\t", status.pid, "\nNSpid:\t", status.tid, "\nNSpgid:\t", status.group,
          "\nNSsid:\t", status.session, "\nKthread:\t0\n");
  if (target.task != nullptr) {
    add_memory(out, process_memory(target));
  }
  out.add("Threads:\t", status.threads, "\nSigQ:\t0/",
          target.process->rlimits[RLIMIT_SIGPENDING].soft, '\n');
  add_set(out, "SigPnd:\t", signals.pending);
  add_set(out, "ShdPnd:\t", signals.shared);
  add_set(out, "SigBlk:\t", signals.blocked);
  add_set(out, "SigIgn:\t", signals.ignored);
  add_set(out, "SigCgt:\t", signals.caught);
  add_set(out, "CapInh:\t", c.inheritable);
  add_set(out, "CapPrm:\t", c.permitted);
  add_set(out, "CapEff:\t", c.effective);
  add_set(out, "CapBnd:\t", c.bounding);
  add_set(out, "CapAmb:\t", c.ambient);
  out.add("NoNewPrivs:\t", target.process->no_new_privileges ? 1 : 0,
          "\nSeccomp:\t0\nSeccomp_filters:\t0\nSpeculation_Store_Bypass:\tvulnerable\n"
          "SpeculationIndirectBranch:\tconditional enabled\n");
  add_cpus(out);
  out.add("voluntary_ctxt_switches:\t0\nnonvoluntary_ctxt_switches:\t0\n");
  return {};
}

// ---- the program -------------------------------------------------------------------------------

/// What the program's memory holds now, for itself; what exec put there, for others, whose memory
/// is out of reach.
void add_strings(TextWriter& out, const ProcessTarget& target, std::uint64_t address,
                 std::string_view original) {
  if (target.process.get() != current().process || original.empty()) {
    out.add(original);
    return;
  }
  std::array<char, 512> part;
  for (std::size_t done = 0; done < original.size();) {
    const std::size_t size = std::min(part.size(), original.size() - done);
    if (!copy_from_user(part.data(), address + done, size)) {
      return;
    }
    out.add(std::string_view(part.data(), size));
    done += size;
  }
}

Result<void> show_command_line(TextWriter& out, const Subject& subject) {
  const ProcessTarget target = TRY(find_target(subject));
  const Ref<ProgramImage> image = target.process->image;
  if (image != nullptr && target.task != nullptr) {
    add_strings(out, target, image->arguments_start, image->arguments.view());
  }
  return {};
}

Result<void> show_environment(TextWriter& out, const Subject& subject) {
  const ProcessTarget target = TRY(find_target(subject));
  TRY(may_inspect(target));
  const Ref<ProgramImage> image = target.process->image;
  if (image != nullptr && target.task != nullptr) {
    add_strings(out, target, image->environment_start, image->environment.view());
  }
  return {};
}

Result<void> show_auxiliary(TextWriter& out, const Subject& subject) {
  const ProcessTarget target = TRY(find_target(subject));
  TRY(may_inspect(target));
  const Ref<ProgramImage> image = target.process->image;
  if (image != nullptr && target.task != nullptr) {
    // SAFETY: the words are shown as the bytes they are.
    out.add(std::string_view(reinterpret_cast<const char*>(image->auxiliary.data()),
                             image->auxiliary_count * sizeof(std::uint64_t)));
  }
  return {};
}

Result<void> show_name(TextWriter& out, const Subject& subject) {
  const ProcessStatus status = TRY(process_state(TRY(find_target(subject))));
  out.add(name_of(status), '\n');
  return {};
}

Result<void> store_name(std::string_view text, const Subject& subject) {
  const ProcessTarget target = TRY(find_target(subject));
  if (target.process.get() != current().process || target.task == nullptr) {
    return fail(EINVAL);  // Linux: only threads of one's own process
  }
  text = text.substr(0, text.find('\0'));
  if (text.ends_with('\n')) {
    text.remove_suffix(1);
  }
  std::array<char, 16> name{};
  std::copy_n(text.begin(), std::min(text.size(), name.size() - 1), name.begin());
  target.task->name = name;
  return {};
}

// ---- limits, scheduling, scores ----------------------------------------------------------------

void add_limit(TextWriter& out, std::uint64_t limit) {
  if (limit == ~0ULL) {
    out.add(Padded{.text = "unlimited", .width = 21});
    return;
  }
  TextWriter number;
  number.add(limit);
  out.add(Padded{.text = number.view(), .width = 21});
}

Result<void> show_limits(TextWriter& out, const Subject& subject) {
  struct Name {
    std::string_view name, unit;
  };
  constexpr std::array<Name, 16> kNames{{{"Max cpu time", "seconds"},
                                         {"Max file size", "bytes"},
                                         {"Max data size", "bytes"},
                                         {"Max stack size", "bytes"},
                                         {"Max core file size", "bytes"},
                                         {"Max resident set", "bytes"},
                                         {"Max processes", "processes"},
                                         {"Max open files", "files"},
                                         {"Max locked memory", "bytes"},
                                         {"Max address space", "bytes"},
                                         {"Max file locks", "locks"},
                                         {"Max pending signals", "signals"},
                                         {"Max msgqueue size", "bytes"},
                                         {"Max nice priority", ""},
                                         {"Max realtime priority", ""},
                                         {"Max realtime timeout", "us"}}};
  const ProcessTarget target = TRY(find_target(subject));
  out.add("Limit                     Soft Limit           Hard Limit           Units     \n");
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    out.add(Padded{.text = kNames[i].name, .width = 26});
    add_limit(out, target.process->rlimits[i].soft);
    add_limit(out, target.process->rlimits[i].hard);
    if (!kNames[i].unit.empty()) {
      out.add(Padded{.text = kNames[i].unit, .width = 10});
    }
    out.add('\n');
  }
  return {};
}

Result<void> show_io(TextWriter& out, const Subject& subject) {
  TRY(may_inspect(TRY(find_target(subject))));
  out.add(
      "rchar: 0\nwchar: 0\nsyscr: 0\nsyscw: 0\nread_bytes: 0\nwrite_bytes: 0\n"
      "cancelled_write_bytes: 0\n");
  return {};
}

Result<void> show_scheduling(TextWriter& out, const Subject& subject) {
  const ProcessTarget target = TRY(find_target(subject));
  const CpuTimes times = cpu_times(target, true);
  out.add(times.user + times.system, " 0 0\n");
  return {};
}

Result<void> show_sched(TextWriter& out, const Subject& subject) {
  const ProcessTarget target = TRY(find_target(subject));
  const ProcessStatus status = TRY(process_state(target));
  const CpuTimes times = cpu_times(target, true);
  constexpr Nanoseconds kMillisecond = 1'000'000;
  const Nanoseconds run = times.user + times.system;
  out.add(name_of(status), " (", status.tid, ", #threads: ", status.threads,
          ")\n-------------------------------------------------------------------\n"
          "se.sum_exec_runtime                          :  ",
          run / kMillisecond, '.', Decimal{.value = static_cast<std::uint64_t>(run % kMillisecond)},
          "\nnr_switches                                  :                    0\n"
          "nr_voluntary_switches                        :                    0\n"
          "nr_involuntary_switches                      :                    0\n"
          "policy                                       :                    0\n"
          "prio                                         :                  120\n");
  return {};
}

Result<void> show_oom_score(TextWriter& out, const Subject& subject) {
  const ProcessTarget target = TRY(find_target(subject));
  const MemoryInfo all = memory_info();
  const std::uint64_t share =
      all.total != 0 ? process_memory(target).resident * 1000 / all.total : 0;
  // Linux oom_badness: 0..2000, 667 in the middle.
  const std::int64_t points =
      (1000 + static_cast<std::int64_t>(share) + target.process->oom_adjust) * 2 / 3;
  out.add(std::max<std::int64_t>(points, 0), '\n');
  return {};
}

Result<void> show_oom_adjustment(TextWriter& out, const Subject& subject) {
  out.add(TRY(find_target(subject)).process->oom_adjust, '\n');
  return {};
}

Result<void> set_oom_adjustment(Process& process, std::int64_t value) {
  constexpr std::int64_t kMost = 1000;  // OOM_SCORE_ADJ_MAX
  constexpr unsigned kCapability = 24;  // CAP_SYS_RESOURCE
  if (value < -kMost || value > kMost) {
    return fail(EINVAL);
  }
  if (value < process.oom_adjust_lowest && !current().credentials.has(kCapability)) {
    return fail(EACCES);
  }
  process.oom_adjust = static_cast<std::int32_t>(value);
  if (current().credentials.has(kCapability)) {
    process.oom_adjust_lowest = process.oom_adjust;
  }
  return {};
}

Result<void> store_oom_adjustment(std::string_view text, const Subject& subject) {
  return set_oom_adjustment(*TRY(find_target(subject)).process, TRY(take_number(text)));
}

// The older scale: -17 (never) to 15.
constexpr std::int32_t kOldDisable = -17;
constexpr std::int32_t kOldMost = 15;

Result<void> show_old_oom_adjustment(TextWriter& out, const Subject& subject) {
  const std::int32_t value = TRY(find_target(subject)).process->oom_adjust;
  out.add(value == 1000 ? kOldMost : value * -kOldDisable / 1000, '\n');
  return {};
}

Result<void> store_old_oom_adjustment(std::string_view text, const Subject& subject) {
  const std::int64_t value = TRY(take_number(text));
  if (value < kOldDisable || value > kOldMost) {
    return fail(EINVAL);
  }
  return set_oom_adjustment(*TRY(find_target(subject)).process,
                            value == kOldMost ? 1000 : value * 1000 / -kOldDisable);
}

// ---- what is the same for everybody ------------------------------------------------------------

/// The row's argument.
Result<void> show_number(TextWriter& out, const Subject& subject) {
  out.add(subject.row->argument);
  return {};
}
Result<void> show_personality(TextWriter& out, const Subject& subject) {
  TRY(may_inspect(TRY(find_target(subject))));
  out.add("00000000\n");
  return {};
}
Result<void> show_core_filter(TextWriter& out, const Subject& /*subject*/) {
  out.add("00000033\n");
  return {};
}
Result<void> show_cgroup(TextWriter& out, const Subject& /*subject*/) {
  out.add("0::/\n");
  return {};
}
Result<void> show_set_groups(TextWriter& out, const Subject& /*subject*/) {
  out.add("allow\n");
  return {};
}
Result<void> show_id_map(TextWriter& out, const Subject& /*subject*/) {
  out.add("         0          0 4294967295\n");
  return {};
}
Result<void> refuse_store(std::string_view /*text*/, const Subject& /*subject*/) {
  return fail(EPERM);
}
Result<void> show_wait_channel(TextWriter& out, const Subject& /*subject*/) {
  out.add('0');
  return {};
}
Result<void> show_syscall(TextWriter& out, const Subject& subject) {
  TRY(may_inspect(TRY(find_target(subject))));
  out.add("running\n");
  return {};
}
Result<void> show_security_label(TextWriter& /*out*/, const Subject& /*subject*/) {
  return fail(EINVAL);  // no security module
}
Result<void> show_timer_slack(TextWriter& out, const Subject& /*subject*/) {
  out.add("50000\n");
  return {};
}
Result<void> show_nothing(TextWriter& /*out*/, const Subject& /*subject*/) {
  return {};
}

bool is_process(const Subject& subject) {
  return subject.tid == 0;
}

constexpr TableRow with_argument(TableRow row, std::size_t argument) {
  row.argument = argument;
  return row;
}
constexpr TableRow of_process(TableRow row) {
  row.present = is_process;
  return row;
}

// The order is that of Linux's tgid_base_stuff.
constexpr TableRow kRows[] = {
    of_process(directory("task", 0555, make_task_directory)),
    directory("fd", 0500, make_fd_directory),
    directory("fdinfo", 0555, make_fdinfo_directory),
    link("ns/cgroup", show_namespace),
    link("ns/ipc", show_namespace),
    link("ns/mnt", show_namespace),
    link("ns/net", show_namespace),
    link("ns/pid", show_namespace),
    link("ns/pid_for_children", show_namespace),
    link("ns/time", show_namespace),
    link("ns/time_for_children", show_namespace),
    link("ns/user", show_namespace),
    link("ns/uts", show_namespace),
    directory("net", 0555, make_net_directory),
    file("environ", 0400, show_environment),
    file("auxv", 0400, show_auxiliary),
    file("status", 0444, show_status),
    file("personality", 0400, show_personality),
    file("limits", 0444, show_limits),
    file("sched", 0644, show_sched),
    file("comm", 0644, show_name, store_name),
    file("syscall", 0400, show_syscall),
    file("cmdline", 0444, show_command_line),
    file("stat", 0444, show_stat),
    file("statm", 0444, show_statm),
    file("maps", 0444, show_maps),
    link("cwd", show_cwd, jump_to_cwd),
    link("root", show_root, jump_to_root),
    link("exe", show_executable, jump_to_executable),
    file("mounts", 0444, show_mounts),
    file("mountinfo", 0444, show_mount_info),
    of_process(file("mountstats", 0400, show_mount_stats)),
    file("smaps", 0444, show_detailed_maps),
    file("smaps_rollup", 0444, show_maps_sum),
    file("attr/current", 0666, show_security_label, refuse_store),
    file("attr/exec", 0666, show_security_label, refuse_store),
    file("attr/fscreate", 0666, show_security_label, refuse_store),
    file("attr/keycreate", 0666, show_security_label, refuse_store),
    file("attr/prev", 0444, show_security_label),
    file("attr/sockcreate", 0666, show_security_label, refuse_store),
    file("wchan", 0444, show_wait_channel),
    file("stack", 0400, show_nothing),
    file("schedstat", 0444, show_scheduling),
    file("cpuset", 0444, show_cpuset),
    file("cgroup", 0444, show_cgroup),
    file("oom_score", 0444, show_oom_score),
    file("oom_adj", 0644, show_old_oom_adjustment, store_old_oom_adjustment),
    file("oom_score_adj", 0644, show_oom_adjustment, store_oom_adjustment),
    with_argument(file("loginuid", 0644, show_number, refuse_store), 4'294'967'295U),
    with_argument(file("sessionid", 0444, show_number), 4'294'967'295U),
    of_process(file("coredump_filter", 0644, show_core_filter, refuse_store)),
    file("io", 0400, show_io),
    file("uid_map", 0644, show_id_map, refuse_store),
    file("gid_map", 0644, show_id_map, refuse_store),
    file("projid_map", 0644, show_id_map, refuse_store),
    file("setgroups", 0644, show_set_groups, refuse_store),
    of_process(file("timers", 0444, show_nothing)),
    of_process(file("timerslack_ns", 0666, show_timer_slack, refuse_store)),
};

/// Files belong to the process's user, unless looking into it is nobody's business.
OwnerChange owner_of(const Subject& subject, std::uint32_t mode) {
  const Result<ProcessTarget> target = find_target(subject);
  if (!target) {
    return {.uid = 0, .gid = 0};
  }
  const bool open_directory = mode == (S_IFDIR | 0555U);
  if (!target->process->dumpable && !open_directory) {
    return {.uid = 0, .gid = 0};
  }
  const Credentials& c =
      target->task != nullptr ? target->task->credentials : target->process->last_credentials;
  return {.uid = c.euid, .gid = c.egid};
}

Result<void> check_alive(const Subject& subject) {
  TRY(find_target(subject));
  return {};
}

constexpr Table kTable{.rows = kRows, .owner = owner_of, .check = check_alive};

}  // namespace

const Table& proc_process_table() {
  return kTable;
}

}  // namespace runhl::kernel
