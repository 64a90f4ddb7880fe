// SPDX-License-Identifier: Apache-2.0
#include "fs/cgroup/cgroup_fs.h"

#include <linux/magic.h>

#include <array>

#include "fs/proc/load_average.h"
#include "fs/proc/memory_info.h"
#include "fs/proc/process_view.h"
#include "host/clock.h"
#include "host/events.h"
#include "runhl/abi/layout.h"
#include "sched/scheduler.h"

namespace runhl::kernel {
namespace {

constexpr PseudoFileSystem kFileSystem{
    .type = "cgroup2", .magic = CGROUP2_SUPER_MAGIC, .device = 0x1b, .create_error = EACCES};

void add_limit(TextWriter& out, std::uint64_t limit) {
  if (limit == 0) {
    out.add("max\n");
  } else {
    out.add(limit, '\n');
  }
}

Result<void> show_controllers(TextWriter& out, const Subject& /*subject*/) {
  out.add("cpuset cpu memory pids\n");
  return {};
}
Result<void> show_nothing(TextWriter& /*out*/, const Subject& /*subject*/) {
  return {};
}
Result<void> show_events(TextWriter& out, const Subject& /*subject*/) {
  out.add("populated 1\nfrozen 0\n");
  return {};
}
Result<void> show_type(TextWriter& out, const Subject& /*subject*/) {
  out.add("domain\n");
  return {};
}
Result<void> show_max(TextWriter& out, const Subject& /*subject*/) {
  out.add("max\n");
  return {};
}
Result<void> show_zero(TextWriter& out, const Subject& /*subject*/) {
  out.add("0\n");
  return {};
}

Result<void> show_cpu_max(TextWriter& out, const Subject& /*subject*/) {
  constexpr std::uint64_t kDefaultPeriod = 100'000;
  const abi::BootConfig& config = boot_config();
  if (config.cpu_quota_us == 0) {
    out.add("max");
  } else {
    out.add(config.cpu_quota_us);
  }
  out.add(' ', config.cpu_period_us != 0 ? config.cpu_period_us : kDefaultPeriod, '\n');
  return {};
}
Result<void> show_cpu_weight(TextWriter& out, const Subject& /*subject*/) {
  constexpr std::uint64_t kDefaultWeight = 100;
  const std::uint64_t shares = boot_config().cpu_weight;
  // The specification's formula from shares (2..262144) to weights (1..10000).
  out.add(shares < 2 ? kDefaultWeight : 1 + (shares - 2) * 9999 / 262'142, '\n');
  return {};
}
Result<void> show_cpu_stat(TextWriter& out, const Subject& /*subject*/) {
  const Nanoseconds up = (monotonic_now() - boot_time()) * vcpu_count();
  const Nanoseconds used = (up - idle_time()) / 1000;
  out.add("usage_usec ", used, "\nuser_usec ", used,
          "\nsystem_usec 0\nnr_periods 0\nnr_throttled 0\nthrottled_usec 0\n");
  return {};
}
Result<void> show_cpus(TextWriter& out, const Subject& /*subject*/) {
  out.add('0');
  if (vcpu_count() > 1) {
    out.add('-', vcpu_count() - 1);
  }
  out.add('\n');
  return {};
}
Result<void> show_memory_max(TextWriter& out, const Subject& /*subject*/) {
  add_limit(out, monitor_page().memory_limit);
  return {};
}
Result<void> show_memory_current(TextWriter& out, const Subject& /*subject*/) {
  const MemoryInfo memory = memory_info();
  out.add(memory.total - memory.free, '\n');
  return {};
}
Result<void> show_memory_events(TextWriter& out, const Subject& /*subject*/) {
  out.add("low 0\nhigh 0\nmax 0\noom 0\noom_kill 0\noom_group_kill 0\n");
  return {};
}
Result<void> show_memory_stat(TextWriter& out, const Subject& /*subject*/) {
  const MemoryInfo memory = memory_info();
  out.add("anon ", memory.total - memory.free - memory.shared, "\nfile ", memory.shared,
          "\nkernel 0\nshmem ", memory.shared,
          "\ninactive_anon 0\nactive_anon 0\ninactive_file 0\nactive_file 0\n");
  return {};
}
Result<void> show_pids_max(TextWriter& out, const Subject& /*subject*/) {
  add_limit(out, monitor_page().pids_limit);
  return {};
}
Result<void> show_pids_current(TextWriter& out, const Subject& /*subject*/) {
  out.add(process_counts().tasks, '\n');
  return {};
}
Result<void> show_processes(TextWriter& out, const Subject& /*subject*/) {
  write_process_ids(out);
  return {};
}
Result<void> show_threads(TextWriter& out, const Subject& /*subject*/) {
  write_task_ids(out);
  return {};
}

constexpr TableRow kRows[] = {
    file("cgroup.controllers", 0444, show_controllers),
    file("cgroup.events", 0444, show_events),
    file("cgroup.max.depth", 0444, show_max),
    file("cgroup.max.descendants", 0444, show_max),
    file("cgroup.procs", 0444, show_processes),
    file("cgroup.subtree_control", 0444, show_nothing),
    file("cgroup.threads", 0444, show_threads),
    file("cgroup.type", 0444, show_type),
    file("cpu.max", 0444, show_cpu_max),
    file("cpu.stat", 0444, show_cpu_stat),
    file("cpu.weight", 0444, show_cpu_weight),
    file("cpuset.cpus", 0444, show_cpus),
    file("cpuset.cpus.effective", 0444, show_cpus),
    file("cpuset.mems.effective", 0444, show_zero),
    file("memory.current", 0444, show_memory_current),
    file("memory.events", 0444, show_memory_events),
    file("memory.high", 0444, show_max),
    file("memory.low", 0444, show_zero),
    file("memory.max", 0444, show_memory_max),
    file("memory.min", 0444, show_zero),
    file("memory.stat", 0444, show_memory_stat),
    file("memory.swap.current", 0444, show_zero),
    file("memory.swap.max", 0444, show_zero),
    file("pids.current", 0444, show_pids_current),
    file("pids.max", 0444, show_pids_max),
};
constexpr Table kTable{.rows = kRows};

}  // namespace

Result<Ref<PseudoNode>> make_cgroup_root() {
  return Ref<PseudoNode>(TRY(make_ref<TableNode>(kFileSystem, kTable, "", Subject{})));
}

}  // namespace runhl::kernel
