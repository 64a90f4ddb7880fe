// SPDX-License-Identifier: Apache-2.0
// /sys, as far as programs ask it about CPUs and memory. There are no devices to show.
#include "fs/sysfs/sys_fs.h"

#include <array>

#include "fs/proc/cpu_info.h"
#include "fs/proc/memory_info.h"
#include "sched/scheduler.h"

namespace runhl::kernel {
namespace {

constexpr PseudoFileSystem kFileSystem{
    .type = "sysfs", .magic = 0x6265'6572, .device = 0x17, .create_error = EACCES};

void add_cpu_list(TextWriter& out) {
  out.add('0');
  if (vcpu_count() > 1) {
    out.add('-', vcpu_count() - 1);
  }
  out.add('\n');
}

/// A bit a CPU, in groups of 32 from the highest down.
void add_cpu_mask(TextWriter& out, std::uint32_t first, std::uint32_t count) {
  constexpr std::uint32_t kGroup = 32;
  const std::uint32_t groups = (vcpu_count() + kGroup - 1) / kGroup;
  const std::uint32_t width = groups == 1 ? (vcpu_count() + 3) / 4 : 8;
  for (std::uint32_t group = groups; group-- > 0;) {
    std::uint32_t bits = 0;
    for (std::uint32_t i = 0; i < kGroup; ++i) {
      const std::uint32_t cpu = group * kGroup + i;
      bits |= cpu >= first && cpu < first + count ? 1U << i : 0U;
    }
    out.add(Hex{.value = bits, .width = width}, group != 0 ? "," : "\n");
  }
}

Result<void> show_cpu_list(TextWriter& out, const Subject& /*subject*/) {
  add_cpu_list(out);
  return {};
}
Result<void> show_all_cpus(TextWriter& out, const Subject& /*subject*/) {
  add_cpu_mask(out, 0, vcpu_count());
  return {};
}
Result<void> show_own_mask(TextWriter& out, const Subject& subject) {
  add_cpu_mask(out, subject.number, 1);
  return {};
}
Result<void> show_own_list(TextWriter& out, const Subject& subject) {
  out.add(subject.number, '\n');
  return {};
}
/// The row's argument.
Result<void> show_number(TextWriter& out, const Subject& subject) {
  out.add(subject.row->argument, '\n');
  return {};
}
Result<void> show_empty_line(TextWriter& out, const Subject& /*subject*/) {
  out.add('\n');
  return {};
}
Result<void> show_most_cpus(TextWriter& out, const Subject& /*subject*/) {
  out.add(vcpu_count() - 1, '\n');
  return {};
}
Result<void> show_modalias(TextWriter& out, const Subject& /*subject*/) {
  const CpuIdentity id = cpu_identity();
  out.add("cpu:type:x86,ven0000fam", Hex{.value = id.family, .width = 4}, "mod",
          Hex{.value = id.model, .width = 4}, ":feature:\n");
  return {};
}

// ---- caches ------------------------------------------------------------------------------------

/// The row's argument: the cache's index and what of it is asked.
enum class CacheField : std::uint8_t {
  Level,
  Type,
  Size,
  Line,
  Ways,
  Sets,
  Partitions,
  Mask,
  List
};
constexpr std::size_t kFieldCount = 16;

bool is_cache_present(const Subject& subject) {
  return cpu_cache(static_cast<std::uint32_t>(subject.row->argument / kFieldCount)).type !=
         CacheType::None;
}

Result<void> show_cache(TextWriter& out, const Subject& subject) {
  const CpuCache cache = cpu_cache(static_cast<std::uint32_t>(subject.row->argument / kFieldCount));
  constexpr std::array<std::string_view, 4> kTypes{"", "Data", "Instruction", "Unified"};
  constexpr std::uint32_t kLastPrivateLevel = 2;
  const bool shared = cache.level > kLastPrivateLevel;
  switch (static_cast<CacheField>(subject.row->argument % kFieldCount)) {
    case CacheField::Level:
      out.add(cache.level);
      break;
    case CacheField::Type:
      out.add(kTypes[static_cast<std::size_t>(cache.type)]);
      break;
    case CacheField::Size:
      out.add(cache.size() / 1024, 'K');
      break;
    case CacheField::Line:
      out.add(cache.line);
      break;
    case CacheField::Ways:
      out.add(cache.ways);
      break;
    case CacheField::Sets:
      out.add(cache.sets);
      break;
    case CacheField::Partitions:
      out.add(cache.partitions);
      break;
    case CacheField::Mask:
      add_cpu_mask(out, shared ? 0 : subject.number, shared ? vcpu_count() : 1);
      return {};
    case CacheField::List:
      if (shared) {
        add_cpu_list(out);
        return {};
      }
      out.add(subject.number);
      break;
  }
  out.add('\n');
  return {};
}

// ---- memory ------------------------------------------------------------------------------------

Result<void> show_node_memory(TextWriter& out, const Subject& /*subject*/) {
  const MemoryInfo memory = memory_info();
  const std::uint64_t used = memory.total - memory.free;
  out.add("Node 0 MemTotal:       ", Decimal{.value = memory.total / 1024, .width = 8}, " kB\n",
          "Node 0 MemFree:        ", Decimal{.value = memory.free / 1024, .width = 8}, " kB\n",
          "Node 0 MemUsed:        ", Decimal{.value = used / 1024, .width = 8}, " kB\n");
  return {};
}
Result<void> show_huge_pages(TextWriter& out, const Subject& /*subject*/) {
  out.add("always [madvise] never\n");
  return {};
}
Result<void> show_huge_defrag(TextWriter& out, const Subject& /*subject*/) {
  out.add("always defer defer+madvise [madvise] never\n");
  return {};
}
Result<void> show_shmem_huge_pages(TextWriter& out, const Subject& /*subject*/) {
  out.add("always within_size advise [never] deny force\n");
  return {};
}

constexpr TableRow number(std::string_view path, std::size_t value) {
  TableRow row = file(path, 0444, show_number);
  row.argument = value;
  return row;
}
constexpr TableRow cache(std::string_view path, std::size_t index, CacheField field) {
  TableRow row = file(path, 0444, show_cache);
  row.argument = index * kFieldCount + static_cast<std::size_t>(field);
  row.present = is_cache_present;
  return row;
}
constexpr std::size_t kHugePage = 2 << 20;

#define RUNHL_CPU "devices/system/cpu/cpu#/"
#define RUNHL_CACHE(index)                                                               \
  cache(RUNHL_CPU "cache/index" #index "/coherency_line_size", index, CacheField::Line), \
      cache(RUNHL_CPU "cache/index" #index "/level", index, CacheField::Level),          \
      cache(RUNHL_CPU "cache/index" #index "/number_of_sets", index, CacheField::Sets),  \
      cache(RUNHL_CPU "cache/index" #index "/physical_line_partition", index,            \
            CacheField::Partitions),                                                     \
      cache(RUNHL_CPU "cache/index" #index "/shared_cpu_list", index, CacheField::List), \
      cache(RUNHL_CPU "cache/index" #index "/shared_cpu_map", index, CacheField::Mask),  \
      cache(RUNHL_CPU "cache/index" #index "/size", index, CacheField::Size),            \
      cache(RUNHL_CPU "cache/index" #index "/type", index, CacheField::Type),            \
      cache(RUNHL_CPU "cache/index" #index "/ways_of_associativity", index, CacheField::Ways)

constexpr TableRow kRows[] = {
    empty_directory("block/"),
    empty_directory("bus/"),
    empty_directory("class/block/"),
    empty_directory("class/dmi/"),
    empty_directory("class/drm/"),
    empty_directory("class/hwmon/"),
    empty_directory("class/net/"),
    empty_directory("class/power_supply/"),
    empty_directory("class/thermal/"),
    empty_directory("class/tty/"),
    empty_directory("dev/block/"),
    empty_directory("dev/char/"),
    RUNHL_CACHE(0),
    RUNHL_CACHE(1),
    RUNHL_CACHE(2),
    RUNHL_CACHE(3),
    number(RUNHL_CPU "online", 1),
    file(RUNHL_CPU "topology/core_cpus", 0444, show_own_mask),
    file(RUNHL_CPU "topology/core_cpus_list", 0444, show_own_list),
    file(RUNHL_CPU "topology/core_id", 0444, show_own_list),
    file(RUNHL_CPU "topology/core_siblings", 0444, show_all_cpus),
    file(RUNHL_CPU "topology/core_siblings_list", 0444, show_cpu_list),
    number(RUNHL_CPU "topology/die_id", 0),
    file(RUNHL_CPU "topology/package_cpus", 0444, show_all_cpus),
    file(RUNHL_CPU "topology/package_cpus_list", 0444, show_cpu_list),
    number(RUNHL_CPU "topology/physical_package_id", 0),
    file(RUNHL_CPU "topology/thread_siblings", 0444, show_own_mask),
    file(RUNHL_CPU "topology/thread_siblings_list", 0444, show_own_list),
    file("devices/system/cpu/isolated", 0444, show_empty_line),
    file("devices/system/cpu/kernel_max", 0444, show_most_cpus),
    file("devices/system/cpu/modalias", 0444, show_modalias),
    file("devices/system/cpu/offline", 0444, show_empty_line),
    file("devices/system/cpu/online", 0444, show_cpu_list),
    file("devices/system/cpu/possible", 0444, show_cpu_list),
    file("devices/system/cpu/present", 0444, show_cpu_list),
    number("devices/system/node/has_cpu", 0),
    number("devices/system/node/has_memory", 0),
    number("devices/system/node/has_normal_memory", 0),
    file("devices/system/node/node0/cpulist", 0444, show_cpu_list),
    file("devices/system/node/node0/cpumap", 0444, show_all_cpus),
    number("devices/system/node/node0/distance", 10),
    file("devices/system/node/node0/meminfo", 0444, show_node_memory),
    number("devices/system/node/online", 0),
    number("devices/system/node/possible", 0),
    empty_directory("devices/virtual/net/"),
    empty_directory("firmware/"),
    empty_directory("fs/cgroup/"),
    file("kernel/mm/transparent_hugepage/defrag", 0444, show_huge_defrag),
    file("kernel/mm/transparent_hugepage/enabled", 0444, show_huge_pages),
    number("kernel/mm/transparent_hugepage/hpage_pmd_size", kHugePage),
    file("kernel/mm/transparent_hugepage/shmem_enabled", 0444, show_shmem_huge_pages),
    number("kernel/mm/transparent_hugepage/use_zero_page", 1),
    empty_directory("module/"),
    empty_directory("power/"),
};
#undef RUNHL_CACHE
#undef RUNHL_CPU

constexpr Table kTable{.rows = kRows};

}  // namespace

Result<Ref<PseudoNode>> make_sys_root() {
  return Ref<PseudoNode>(TRY(make_ref<TableNode>(kFileSystem, kTable, "", Subject{})));
}

}  // namespace runhl::kernel
