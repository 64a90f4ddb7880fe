// SPDX-License-Identifier: Apache-2.0
// The files of /proc that are about the whole system.
#include <algorithm>
#include <array>

#include "core/settings.h"
#include "fs/proc/cpu_info.h"
#include "fs/proc/load_average.h"
#include "fs/proc/memory_info.h"
#include "fs/proc/proc_fs.h"
#include "fs/proc/process_view.h"
#include "host/clock.h"
#include "host/events.h"
#include "ipc/semaphore_set.h"
#include "ipc/shared_segment.h"
#include "ipc/sysv_queue.h"
#include "runhl/abi/layout.h"
#include "sched/scheduler.h"

namespace runhl::kernel {
namespace {

constexpr Nanoseconds kNanosPerTick = 10'000'000;  // USER_HZ 100

Nanoseconds uptime() {
  return monotonic_now() - boot_time();
}

Result<void> show_uptime(TextWriter& out, const Subject& /*subject*/) {
  out.add(Hundredths{.value = static_cast<std::uint64_t>(uptime() / kNanosPerTick)}, ' ',
          Hundredths{.value = static_cast<std::uint64_t>(idle_time() / kNanosPerTick)}, '\n');
  return {};
}

Result<void> show_load(TextWriter& out, const Subject& /*subject*/) {
  const LoadAverages load = load_averages();
  const ProcessCounts counts = process_counts();
  for (const std::uint32_t average : load.hundredths) {
    out.add(Hundredths{.value = average}, ' ');
  }
  out.add(std::max(counts.running, 1U), '/', counts.tasks, ' ', counts.last_pid, '\n');
  return {};
}

Result<void> show_version(TextWriter& out, const Subject& /*subject*/) {
  out.add(kSystemName, " version ", kSystemRelease, " (runhl) ", kSystemVersion, '\n');
  return {};
}

void add_memory(TextWriter& out, std::string_view name, std::uint64_t bytes) {
  constexpr std::uint32_t kNameWidth = 16;
  out.add(Padded{.text = name, .width = kNameWidth}, Decimal{.value = bytes / 1024, .width = 8},
          " kB\n");
}

Result<void> show_memory(TextWriter& out, const Subject& /*subject*/) {
  const MemoryInfo memory = memory_info();
  const std::uint64_t used = memory.total - memory.free;
  struct Line {
    std::string_view name;
    std::uint64_t bytes;
  };
  // The order of fs/proc/meminfo.c. What a container cannot know of its host is zero.
  const std::array<Line, 32> lines{{{"MemTotal:", memory.total},
                                    {"MemFree:", memory.free},
                                    {"MemAvailable:", memory.free},
                                    {"Buffers:", 0},
                                    {"Cached:", memory.shared},
                                    {"SwapCached:", 0},
                                    {"Active:", used},
                                    {"Inactive:", 0},
                                    {"Active(anon):", used},
                                    {"Inactive(anon):", 0},
                                    {"Active(file):", 0},
                                    {"Inactive(file):", 0},
                                    {"Unevictable:", 0},
                                    {"Mlocked:", 0},
                                    {"SwapTotal:", 0},
                                    {"SwapFree:", 0},
                                    {"Dirty:", 0},
                                    {"Writeback:", 0},
                                    {"AnonPages:", used - std::min(used, memory.shared)},
                                    {"Mapped:", 0},
                                    {"Shmem:", memory.shared},
                                    {"KReclaimable:", 0},
                                    {"Slab:", 0},
                                    {"SReclaimable:", 0},
                                    {"SUnreclaim:", 0},
                                    {"KernelStack:", 0},
                                    {"PageTables:", 0},
                                    {"CommitLimit:", memory.total},
                                    {"Committed_AS:", used},
                                    {"VmallocTotal:", 0},
                                    {"VmallocUsed:", 0},
                                    {"VmallocChunk:", 0}}};
  for (const Line& line : lines) {
    add_memory(out, line.name, line.bytes);
  }
  out.add(
      "HugePages_Total:       0\nHugePages_Free:        0\nHugePages_Rsvd:        0\n"
      "HugePages_Surp:        0\nHugepagesize:       2048 kB\nHugetlb:               0 kB\n");
  return {};
}

void add_cpu_times(TextWriter& out, std::string_view name, Nanoseconds busy, Nanoseconds idle) {
  out.add(name, ' ', busy / kNanosPerTick, " 0 0 ", idle / kNanosPerTick, " 0 0 0 0 0 0\n");
}

Result<void> show_stat(TextWriter& out, const Subject& /*subject*/) {
  const Nanoseconds up = uptime();
  const Nanoseconds idle = idle_time();
  add_cpu_times(out, "cpu ", up * vcpu_count() - idle, idle);
  for (std::uint32_t i = 0; i < vcpu_count(); ++i) {
    TextWriter name;
    name.add("cpu", i);
    const Nanoseconds own = vcpu_idle_time(i);
    add_cpu_times(out, name.view(), std::max<Nanoseconds>(up - own, 0), own);
  }
  const ProcessCounts counts = process_counts();
  const abi::GuestStats& stats = host_header().stats;
  const Nanoseconds booted = realtime_now() - up;
  out.add("intr ", stats.ticks, "\nctxt ", stats.context_switches, "\nbtime ",
          booted / kNanosPerSecond, "\nprocesses ", counts.last_pid, "\nprocs_running ",
          std::max(counts.running, 1U), "\nprocs_blocked 0\nsoftirq 0 0 0 0 0 0 0 0 0 0 0\n");
  return {};
}

Result<void> show_cpu_info(TextWriter& out, const Subject& /*subject*/) {
  write_cpu_info(out, vcpu_count(), cpu_khz());
  return {};
}

Result<void> show_file_systems(TextWriter& out, const Subject& /*subject*/) {
  for (const std::string_view name : {"sysfs", "tmpfs", "proc", "cgroup", "cgroup2", "devtmpfs",
                                      "sockfs", "pipefs", "devpts", "mqueue"}) {
    out.add("nodev\t", name, '\n');
  }
  return {};
}

Result<void> show_devices(TextWriter& out, const Subject& /*subject*/) {
  out.add(
      "Character devices:\n  1 mem\n  5 /dev/tty\n  5 /dev/console\n  5 /dev/ptmx\n"
      "136 pts\n\nBlock devices:\n");
  return {};
}

Result<void> show_partitions(TextWriter& out, const Subject& /*subject*/) {
  out.add("major minor  #blocks  name\n\n");
  return {};
}

Result<void> show_swaps(TextWriter& out, const Subject& /*subject*/) {
  out.add("Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
  return {};
}

Result<void> show_vm_stat(TextWriter& out, const Subject& /*subject*/) {
  const MemoryInfo memory = memory_info();
  const abi::GuestStats& stats = host_header().stats;
  out.add("nr_free_pages ", memory.free / kPageSize, "\nnr_anon_pages ",
          (memory.total - memory.free) / kPageSize, "\nnr_mapped 0\nnr_file_pages ",
          memory.shared / kPageSize, "\nnr_dirty 0\nnr_writeback 0\nnr_shmem ",
          memory.shared / kPageSize, "\npgpgin 0\npgpgout 0\npswpin 0\npswpout 0\npgfault ",
          stats.faults, "\npgmajfault 0\noom_kill 0\n");
  return {};
}

Result<void> show_interrupts(TextWriter& out, const Subject& /*subject*/) {
  out.add("    ");
  for (std::uint32_t i = 0; i < vcpu_count(); ++i) {
    out.add("       CPU", i);
  }
  out.add("\nLOC:");
  for (std::uint32_t i = 0; i < vcpu_count(); ++i) {
    out.add(' ', Decimal{.value = i == 0 ? host_header().stats.ticks : 0, .width = 10});
  }
  out.add("   Local timer interrupts\n");
  return {};
}

Result<void> show_soft_interrupts(TextWriter& out, const Subject& /*subject*/) {
  out.add("                ");
  for (std::uint32_t i = 0; i < vcpu_count(); ++i) {
    out.add("    CPU", i, "       ");
  }
  out.add('\n');
  return {};
}

Result<void> show_cgroups(TextWriter& out, const Subject& /*subject*/) {
  out.add("#subsys_name\thierarchy\tnum_cgroups\tenabled\n");
  for (const std::string_view name : {"cpuset", "cpu", "cpuacct", "memory", "freezer", "pids"}) {
    out.add(name, "\t0\t1\t1\n");
  }
  return {};
}

Result<void> show_command_line(TextWriter& out, const Subject& /*subject*/) {
  out.add("runhl\n");
  return {};
}

Result<void> show_nothing(TextWriter& /*out*/, const Subject& /*subject*/) {
  return {};
}

Result<void> show_sysv_messages(TextWriter& out, const Subject& /*subject*/) {
  out.add(
      "       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  cgid "
      "     stime      rtime      ctime\n");
  write_sysv_queues(out);
  return {};
}

Result<void> show_sysv_semaphores(TextWriter& out, const Subject& /*subject*/) {
  out.add("       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime\n");
  write_semaphore_sets(out);
  return {};
}

Result<void> show_sysv_memory(TextWriter& out, const Subject& /*subject*/) {
  out.add(
      "       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid "
      " cgid      atime      dtime      ctime                   rss                  swap\n");
  write_shared_segments(out);
  return {};
}

Result<void> link_to_self_mounts(TextWriter& out, const Subject& /*subject*/) {
  out.add("self/mounts");
  return {};
}

Result<void> link_to_self_net(TextWriter& out, const Subject& /*subject*/) {
  out.add("self/net");
  return {};
}

Result<void> link_to_self(TextWriter& out, const Subject& /*subject*/) {
  out.add(current().process->pid);
  return {};
}

Result<void> link_to_thread_self(TextWriter& out, const Subject& /*subject*/) {
  out.add(current().process->pid, "/task/", current().tid);
  return {};
}

Result<Ref<PseudoNode>> make_proc_sys(const PseudoFileSystem& system, const Subject& subject) {
  Subject whole = subject;
  whole.row = nullptr;
  return Ref<PseudoNode>(TRY(make_ref<TableNode>(system, proc_sys_table(), "", whole)));
}

constexpr TableRow kRows[] = {
    empty_directory("fs/"),
    empty_directory("bus/"),
    empty_directory("irq/"),
    empty_directory("driver/"),
    empty_directory("tty/"),
    directory("sys", 0555, make_proc_sys),
    file("buddyinfo", 0444, show_nothing),
    file("cgroups", 0444, show_cgroups),
    file("cmdline", 0444, show_command_line),
    file("consoles", 0444, show_nothing),
    file("cpuinfo", 0444, show_cpu_info),
    file("devices", 0444, show_devices),
    file("diskstats", 0444, show_nothing),
    file("dma", 0444, show_nothing),
    file("filesystems", 0444, show_file_systems),
    file("interrupts", 0444, show_interrupts),
    file("iomem", 0400, show_nothing),
    file("ioports", 0400, show_nothing),
    file("loadavg", 0444, show_load),
    file("locks", 0444, show_nothing),
    file("meminfo", 0444, show_memory),
    file("misc", 0444, show_nothing),
    file("modules", 0444, show_nothing),
    link("mounts", link_to_self_mounts),
    link("net", link_to_self_net),
    file("partitions", 0444, show_partitions),
    link("self", link_to_self),
    file("softirqs", 0444, show_soft_interrupts),
    file("stat", 0444, show_stat),
    file("swaps", 0444, show_swaps),
    file("sysvipc/msg", 0444, show_sysv_messages),
    file("sysvipc/sem", 0444, show_sysv_semaphores),
    file("sysvipc/shm", 0444, show_sysv_memory),
    link("thread-self", link_to_thread_self),
    file("uptime", 0444, show_uptime),
    file("version", 0444, show_version),
    file("vmstat", 0444, show_vm_stat),
    file("zoneinfo", 0400, show_nothing),
};

constexpr Table kTable{.rows = kRows};

}  // namespace

const Table& proc_system_table() {
  return kTable;
}

}  // namespace runhl::kernel
