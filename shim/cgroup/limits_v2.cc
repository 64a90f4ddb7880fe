// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "cgroup/limits.h"

namespace runhl::shim {
namespace {

constexpr const char* kMax = "max";

std::string pointer_of(std::string_view name) {
  return "/linux/resources/" + std::string(name);
}

tl::unexpected<Error> absent(std::string_view name) {
  return fail(ErrorCode::Unsupported, pointer_of(name) + ": control groups of version 2 have none");
}

std::string or_max(std::int64_t value) {
  return value < 0 ? kMax : std::to_string(value);
}

/// config.json counts memory and swap together, version 2 swap alone.
Result<void> add_swap(const oci::Resources& resources, std::vector<LimitWrite>* writes) {
  const std::int64_t swap = resources.memory_swap.value_or(0);
  const std::int64_t memory = resources.memory_limit.value_or(0);
  if (swap == 0) {
    return {};
  }
  const std::string pointer = pointer_of("memory/swap");
  if (swap > 0 && memory <= 0) {
    return fail(ErrorCode::InvalidArgument, pointer + ": needs a memory limit");
  }
  if (swap > 0 && swap < memory) {
    return fail(ErrorCode::InvalidArgument, pointer + ": is below the memory limit");
  }
  writes->push_back(
      {pointer, "memory", "memory.swap.max", swap < 0 ? kMax : std::to_string(swap - memory)});
  return {};
}

Result<void> add_memory(const oci::Resources& resources, std::vector<LimitWrite>* writes) {
  if (resources.memory_swappiness) {
    return absent("memory/swappiness");
  }
  if (resources.disable_oom_killer.value_or(false)) {
    return absent("memory/disableOOMKiller");
  }
  if (resources.memory_limit.value_or(0) != 0) {
    writes->push_back(
        {pointer_of("memory/limit"), "memory", "memory.max", or_max(*resources.memory_limit)});
  }
  if (resources.memory_reservation.value_or(0) != 0) {
    writes->push_back({pointer_of("memory/reservation"), "memory", "memory.low",
                       or_max(*resources.memory_reservation)});
  }
  return add_swap(resources, writes);
}

/// Shares run from 2 to 262144, weights from 1 to 10000; the field maps them linearly.
std::string weight_of(std::uint64_t shares) {
  constexpr std::uint64_t kMinShares = 2, kMaxShares = 262'144, kWeightSpan = 9'999;
  const std::uint64_t within = std::clamp(shares, kMinShares, kMaxShares) - kMinShares;
  return std::to_string(1 + within * kWeightSpan / (kMaxShares - kMinShares));
}

void add_cpu(const oci::Resources& resources, std::vector<LimitWrite>* writes) {
  constexpr std::uint64_t kDefaultPeriodUs = 100'000;
  const std::uint64_t shares = resources.cpu_shares.value_or(0);
  const std::int64_t quota = resources.cpu_quota.value_or(0);
  const std::uint64_t period = resources.cpu_period.value_or(0);
  if (shares != 0) {
    writes->push_back({pointer_of("cpu/shares"), "cpu", "cpu.weight", weight_of(shares)});
  }
  if (quota != 0 || period != 0) {
    const std::string time = quota > 0 ? std::to_string(quota) : kMax;
    writes->push_back({pointer_of(quota != 0 ? "cpu/quota" : "cpu/period"), "cpu", "cpu.max",
                       time + " " + std::to_string(period != 0 ? period : kDefaultPeriodUs)});
  }
  if (!resources.cpuset_cpus.empty()) {
    writes->push_back({pointer_of("cpu/cpus"), "cpuset", "cpuset.cpus", resources.cpuset_cpus});
  }
  if (!resources.cpuset_mems.empty()) {
    writes->push_back({pointer_of("cpu/mems"), "cpuset", "cpuset.mems", resources.cpuset_mems});
  }
}

/// "memory.high": the part before the dot is the controller. Nothing of the group's own machinery.
Result<void> add_unified(const oci::Resources& resources, std::vector<LimitWrite>* writes) {
  for (const auto& [file, text] : resources.unified) {
    const std::string pointer = pointer_of("unified") + "/" + file;
    const std::size_t dot = file.find('.');
    const bool plain = dot != std::string::npos && dot != 0 && file.find('/') == std::string::npos;
    if (!plain) {
      return fail(ErrorCode::InvalidArgument, pointer + ": is not the name of a cgroup file");
    }
    if (file.starts_with("cgroup.")) {
      return fail(ErrorCode::Unsupported, pointer + ": belongs to the runtime");
    }
    writes->push_back({pointer, file.substr(0, dot), file, text});
  }
  return {};
}

}  // namespace

Result<std::vector<LimitWrite>> limit_writes_v2(const oci::Resources& resources,
                                                CgroupOptions options) {
  std::vector<LimitWrite> writes;
  TRY(add_memory(resources, &writes));
  add_cpu(resources, &writes);
  if (const std::int64_t limit = resources.pids_limit.value_or(0); limit != 0) {
    writes.push_back({pointer_of("pids/limit"), "pids", "pids.max",
                      limit < 0 ? kMax : std::to_string(limit + options.pids_overhead)});
  }
  TRY(add_unified(resources, &writes));
  return writes;
}

}  // namespace runhl::shim
