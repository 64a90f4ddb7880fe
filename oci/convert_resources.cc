// SPDX-License-Identifier: Apache-2.0
// linux.resources. Zero means "leave as is" for every number, as runc takes it; -1 is "unlimited".
#include <algorithm>

#include "convert.h"

namespace runhl::oci {
namespace {

constexpr std::int64_t kMostInt64 = std::numeric_limits<std::int64_t>::max();

Result<std::optional<std::int64_t>> limit_of(const Node& section, std::string_view key) {
  const auto node = section.member(key);
  if (!node) {
    return std::nullopt;
  }
  const std::int64_t limit = TRY(node->integer(-1, kMostInt64));
  return limit == 0 ? std::nullopt : std::optional(limit);
}

Result<std::optional<std::uint64_t>> amount_of(const Node& section, std::string_view key) {
  const auto node = section.member(key);
  if (!node) {
    return std::nullopt;
  }
  const std::uint64_t amount = TRY(node->natural());
  return amount == 0 ? std::nullopt : std::optional(amount);
}

Result<void> read_memory(const Node& resources, Resources* out) {
  const auto memory = TRY(resources.object("memory"));
  if (!memory) {
    return {};
  }
  out->memory_limit = TRY(limit_of(*memory, "limit"));
  out->memory_reservation = TRY(limit_of(*memory, "reservation"));
  out->memory_swap = TRY(limit_of(*memory, "swap"));
  if (out->memory_swap && *out->memory_swap > 0) {
    if (!out->memory_limit || *out->memory_limit < 0) {
      return memory->required("swap")->refuse("needs a memory limit: it counts memory and swap");
    }
    if (*out->memory_swap < *out->memory_limit) {
      return memory->required("swap")->refuse("must not be below the memory limit it includes");
    }
  }
  if (const auto swappiness = memory->member("swappiness")) {
    constexpr std::uint64_t kMostSwappiness = 100;
    out->memory_swappiness = TRY(swappiness->natural(kMostSwappiness));
  }
  if (const auto disable = memory->member("disableOOMKiller")) {
    out->disable_oom_killer = TRY(disable->boolean());
  }
  return {};
}

Result<void> read_cpu(const Node& resources, Resources* out) {
  const auto cpu = TRY(resources.object("cpu"));
  if (!cpu) {
    return {};
  }
  out->cpu_shares = TRY(amount_of(*cpu, "shares"));
  out->cpu_period = TRY(amount_of(*cpu, "period"));
  out->cpu_quota = TRY(limit_of(*cpu, "quota"));
  for (const auto& [key, text] :
       {std::pair{"cpus", &out->cpuset_cpus}, std::pair{"mems", &out->cpuset_mems}}) {
    *text = TRY(cpu->string_or(key));
    if (text->find_first_not_of("0123456789,-") != std::string::npos) {
      return cpu->required(key)->refuse("must be a list such as 0-3,7");
    }
  }
  return {};
}

Result<DeviceRule> read_device_rule(const Node& item) {
  TRY(item.as_object());
  DeviceRule rule;
  rule.allow = TRY(item.boolean_or("allow", false));
  if (const auto type = item.member("type")) {
    const std::string word = TRY(type->string());
    if (word.size() > 1 || (word.size() == 1 && word.find_first_of("abc") != 0)) {
      return type->refuse("must be a, b or c");
    }
    rule.type = word.empty() ? 'a' : word[0];
  }
  constexpr std::int64_t kMostNumber = UINT32_MAX;
  for (const auto& [key, number] :
       {std::pair{"major", &rule.major}, std::pair{"minor", &rule.minor}}) {
    if (const auto node = item.member(key)) {
      const std::int64_t value = TRY(node->integer(-1, kMostNumber));
      *number = value == -1 ? std::nullopt : std::optional(value);
    }
  }
  if (const auto access = item.member("access")) {
    const std::string letters = TRY(access->string());
    if (letters.find_first_not_of("rwm") != std::string::npos) {
      return access->refuse("must consist of r, w and m");
    }
    rule.access = letters.empty() ? "rwm" : letters;
  }
  return rule;
}

/// One file of the container's cgroup, written as given: a plain name with a controller's prefix.
bool is_controller_file(std::string_view name) {
  if (name.starts_with("cgroup.") || name.find('.') == std::string_view::npos ||
      name.starts_with('.')) {
    return false;
  }
  return name.find_first_not_of(
             "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.") ==
         std::string_view::npos;
}

Result<void> read_unified(const Node& resources, Resources* out) {
  const auto unified = resources.member("unified");
  if (!unified) {
    return {};
  }
  for (const Node& item : TRY(unified->members())) {
    const std::string& file = item.value().key;
    if (!is_controller_file(file)) {
      return item.refuse("is no file of a cgroup controller");
    }
    out->unified[file] = TRY(item.string());
  }
  return {};
}

}  // namespace

Result<void> convert_resources(const Node& document, Config* config) {
  const auto linux_node = TRY(document.object("linux"));
  const auto resources = linux_node ? TRY(linux_node->object("resources")) : std::optional<Node>();
  if (!resources) {
    return {};
  }
  Resources& out = config->resources;
  TRY(read_memory(*resources, &out));
  TRY(read_cpu(*resources, &out));
  if (const auto pids = TRY(resources->object("pids"))) {
    out.pids_limit = TRY(limit_of(*pids, "limit"));
  }
  for (const Node& item : TRY(resources->array("devices"))) {
    out.devices.push_back(TRY(read_device_rule(item)));
  }
  return read_unified(*resources, &out);
}

}  // namespace runhl::oci
