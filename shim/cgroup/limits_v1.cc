// SPDX-License-Identifier: Apache-2.0
#include "cgroup/limits.h"

namespace runhl::shim {
namespace {

class Writes {
 public:
  void add(std::string_view pointer, std::string controller, std::string file, std::string text) {
    writes_.push_back({.pointer = "/linux/resources/" + std::string(pointer),
                       .controller = std::move(controller),
                       .file = std::move(file),
                       .text = std::move(text)});
  }
  template <typename T>
  void add_number(std::string_view pointer, std::string controller, std::string file,
                  const std::optional<T>& value) {
    if (value && *value != 0) {
      add(pointer, std::move(controller), std::move(file), std::to_string(*value));
    }
  }
  std::vector<LimitWrite> take() { return std::move(writes_); }

 private:
  std::vector<LimitWrite> writes_;
};

void add_memory(Writes& writes, const oci::Resources& resources) {
  writes.add_number("memory/limit", "memory", "memory.limit_in_bytes", resources.memory_limit);
  // After the limit: it may never be below.
  writes.add_number("memory/swap", "memory", "memory.memsw.limit_in_bytes", resources.memory_swap);
  writes.add_number("memory/reservation", "memory", "memory.soft_limit_in_bytes",
                    resources.memory_reservation);
  if (resources.memory_swappiness) {
    writes.add("memory/swappiness", "memory", "memory.swappiness",
               std::to_string(*resources.memory_swappiness));
  }
  if (resources.disable_oom_killer.value_or(false)) {
    writes.add("memory/disableOOMKiller", "memory", "memory.oom_control", "1");
  }
}

void add_cpu(Writes& writes, const oci::Resources& resources) {
  writes.add_number("cpu/shares", "cpu", "cpu.shares", resources.cpu_shares);
  // Before the quota, which is judged against it.
  writes.add_number("cpu/period", "cpu", "cpu.cfs_period_us", resources.cpu_period);
  writes.add_number("cpu/quota", "cpu", "cpu.cfs_quota_us", resources.cpu_quota);
  if (!resources.cpuset_cpus.empty()) {
    writes.add("cpu/cpus", "cpuset", "cpuset.cpus", resources.cpuset_cpus);
  }
  if (!resources.cpuset_mems.empty()) {
    writes.add("cpu/mems", "cpuset", "cpuset.mems", resources.cpuset_mems);
  }
}

void add_pids(Writes& writes, const oci::Resources& resources, CgroupOptions options) {
  const std::int64_t limit = resources.pids_limit.value_or(0);
  if (limit != 0) {
    writes.add("pids/limit", "pids", "pids.max",
               limit < 0 ? "max" : std::to_string(limit + options.pids_overhead));
  }
}

std::string number_or_any(const std::optional<std::int64_t>& number) {
  return number && *number >= 0 ? std::to_string(*number) : "*";
}

void add_devices(Writes& writes, const oci::Resources& resources) {
  for (std::size_t i = 0; i < resources.devices.size(); ++i) {
    const oci::DeviceRule& rule = resources.devices[i];
    std::string text(1, rule.type);
    text.append(" ").append(number_or_any(rule.major)).append(":");
    text.append(number_or_any(rule.minor)).append(" ").append(rule.access);
    writes.add("devices/" + std::to_string(i), "devices",
               rule.allow ? "devices.allow" : "devices.deny", std::move(text));
  }
}

}  // namespace

std::vector<LimitWrite> limit_writes_v1(const oci::Resources& resources, CgroupOptions options) {
  Writes writes;
  add_memory(writes, resources);
  add_cpu(writes, resources);
  add_pids(writes, resources, options);
  add_devices(writes, resources);
  return writes.take();
}

}  // namespace runhl::shim
