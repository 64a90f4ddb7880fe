// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include "convert.h"

namespace runhl::oci {
namespace {

/// What may stand in `path` of a namespace entry.
enum class Joining : std::uint8_t { Allowed, Refused };

struct NamespaceName {
  std::string_view name;
  NamespaceType type;
  Joining joining;
  std::string_view reason;  // why not
};
constexpr std::array kNamespaces = {
    NamespaceName{"pid", NamespaceType::Pid, Joining::Refused,
                  "processes live inside each guest and cannot be shared between containers"},
    NamespaceName{"network", NamespaceType::Network, Joining::Allowed, ""},
    NamespaceName{"mount", NamespaceType::Mount, Joining::Refused,
                  "the guest has a mount table of its own"},
    NamespaceName{"ipc", NamespaceType::Ipc, Joining::Allowed, ""},
    NamespaceName{"uts", NamespaceType::Uts, Joining::Allowed, ""},
    NamespaceName{"user", NamespaceType::User, Joining::Refused,
                  "give uidMappings and gidMappings instead of a user namespace to join"},
    NamespaceName{"cgroup", NamespaceType::Cgroup, Joining::Refused,
                  "the guest never sees the host's cgroups"},
    NamespaceName{"time", NamespaceType::Time, Joining::Refused,
                  "the guest keeps time by the host's clocks"},
};

Result<void> read_namespaces(const Node& linux_node, Config* config) {
  for (const Node& item : TRY(linux_node.array("namespaces"))) {
    TRY(item.as_object());
    const Node type = TRY(item.required("type"));
    const std::string name = TRY(type.string());
    const auto* const known = std::find_if(kNamespaces.begin(), kNamespaces.end(),
                                           [&](const NamespaceName& n) { return n.name == name; });
    if (known == kNamespaces.end()) {
      return type.refuse("is no type of namespace");
    }
    for (const Namespace& other : config->namespaces) {
      if (other.type == known->type) {
        return type.refuse("appears twice");
      }
    }
    Namespace entry{known->type, ""};
    if (const auto path = item.member("path"); path && !TRY(path->string()).empty()) {
      if (known->joining == Joining::Refused) {
        return path->unsupported(known->reason);
      }
      entry.path = TRY(absolute_path(*path));
    }
    config->namespaces.push_back(std::move(entry));
  }
  return {};
}

const Namespace* find_namespace(const Config& config, NamespaceType type) {
  for (const Namespace& entry : config.namespaces) {
    if (entry.type == type) {
      return &entry;
    }
  }
  return nullptr;
}

Result<std::vector<IdMapping>> read_mappings(const Node& linux_node, std::string_view key) {
  constexpr std::size_t kMaxMappings = 340;  // Linux: UID_GID_MAP_MAX_EXTENTS
  constexpr std::uint64_t kIds = 1ULL << 32;
  const std::vector<Node> items = TRY(linux_node.array(key));
  if (items.size() > kMaxMappings) {
    return items[kMaxMappings].refuse("more than 340 mappings");
  }
  std::vector<IdMapping> out;
  for (const Node& item : items) {
    TRY(item.as_object());
    IdMapping mapping;
    mapping.container_id = TRY(read_id(TRY(item.required("containerID"))));
    mapping.host_id = TRY(read_id(TRY(item.required("hostID"))));
    const Node size = TRY(item.required("size"));
    mapping.size = static_cast<std::uint32_t>(TRY(size.natural(UINT32_MAX)));
    const std::uint64_t first = std::max(mapping.container_id, mapping.host_id);
    if (mapping.size == 0 || first + mapping.size > kIds) {
      return size.refuse("must be positive and not reach beyond the last id");
    }
    out.push_back(mapping);
  }
  return out;
}

Result<void> read_user_namespace(const Node& linux_node, Config* config) {
  config->uid_mappings = TRY(read_mappings(linux_node, "uidMappings"));
  config->gid_mappings = TRY(read_mappings(linux_node, "gidMappings"));
  const bool mapped = !config->uid_mappings.empty() || !config->gid_mappings.empty();
  const bool asked = find_namespace(*config, NamespaceType::User) != nullptr;
  if (mapped && !asked) {
    return fail(ErrorCode::InvalidArgument,
                "/linux/uidMappings: needs an entry of type user in /linux/namespaces");
  }
  if (asked && (config->uid_mappings.empty() || config->gid_mappings.empty())) {
    return fail(ErrorCode::InvalidArgument,
                config->uid_mappings.empty()
                    ? "/linux/uidMappings: a user namespace needs a mapping"
                    : "/linux/gidMappings: a user namespace needs a mapping");
  }
  return {};
}

/// Names with either separator; nothing that could leave /proc/sys/net.
bool is_net_sysctl(std::string_view name) {
  if (!(name.starts_with("net.") || name.starts_with("net/")) || name.size() > 255) {
    return false;
  }
  char last = '/';
  for (const char c : name) {
    const bool separator = c == '.' || c == '/';
    const bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '_' || c == '-';
    if (!separator && !word) {
      return false;
    }
    if (separator && (last == '.' || last == '/')) {
      return false;
    }
    last = c;
  }
  return last != '.' && last != '/';
}

/// Those of an IPC namespace, which is the guest's own.
bool is_ipc_sysctl(std::string_view name) {
  constexpr std::array<std::string_view, 13> kNames{
      "fs.mqueue.msg_default",  "fs.mqueue.msg_max",    "fs.mqueue.msgsize_default",
      "fs.mqueue.msgsize_max",  "fs.mqueue.queues_max", "kernel.msgmax",
      "kernel.msgmnb",          "kernel.msgmni",        "kernel.sem",
      "kernel.shm_rmid_forced", "kernel.shmall",        "kernel.shmmax",
      "kernel.shmmni"};
  return std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

Result<void> read_sysctls(const Node& linux_node, Config* config) {
  const auto sysctl = linux_node.member("sysctl");
  if (!sysctl) {
    return {};
  }
  for (const Node& item : TRY(sysctl->members())) {
    const std::string& name = item.value().key;
    std::string dotted = name;
    std::replace(dotted.begin(), dotted.end(), '/', '.');
    if (is_ipc_sysctl(dotted)) {
      if (find_namespace(*config, NamespaceType::Ipc) == nullptr) {
        return item.refuse("needs an entry of type ipc in /linux/namespaces");
      }
      config->guest_sysctl[dotted] = TRY(item.string());
      continue;
    }
    if (!is_net_sysctl(name)) {
      return item.unsupported(
          "only net.*, kernel.shm*, kernel.msg*, kernel.sem and fs.mqueue.* "
          "can be set");
    }
    if (find_namespace(*config, NamespaceType::Network) == nullptr) {
      return item.refuse("needs an entry of type network in /linux/namespaces");
    }
    config->sysctl[name] = TRY(item.string());
  }
  return {};
}

Result<std::vector<std::string>> read_paths(const Node& linux_node, std::string_view key) {
  std::vector<std::string> out;
  for (const Node& item : TRY(linux_node.array(key))) {
    out.push_back(clean_path(TRY(absolute_path(item))));
  }
  return out;
}

Result<void> check_propagation(const Node& linux_node) {
  constexpr std::array<std::string_view, 7> kInward = {
      "", "private", "rprivate", "slave", "rslave", "unbindable", "runbindable"};
  const auto propagation = linux_node.member("rootfsPropagation");
  if (!propagation) {
    return {};
  }
  const std::string word = TRY(propagation->string());
  if (word == "shared" || word == "rshared") {
    return propagation->unsupported(
        "mounts made in the guest do not appear on the host; use private");
  }
  if (std::find(kInward.begin(), kInward.end(), word) == kInward.end()) {
    return propagation->refuse("is no kind of propagation");
  }
  return {};
}

Result<void> check_personality(const Node& linux_node) {
  const auto personality = TRY(linux_node.object("personality"));
  if (!personality) {
    return {};
  }
  if (const auto domain = personality->member("domain")) {
    const std::string name = TRY(domain->string());
    if (name == "LINUX32") {
      return domain->unsupported("32-bit personality; the guest runs x86-64 programs");
    }
    if (name != "LINUX") {
      return domain->refuse("must be LINUX or LINUX32");
    }
  }
  return {};
}

struct GuestDevice {
  std::string_view path;
  std::int64_t major, minor;
};
// Character devices that every guest has (Linux: Documentation/admin-guide/devices.txt).
constexpr std::array kGuestDevices = {
    GuestDevice{"/dev/null", 1, 3},    GuestDevice{"/dev/zero", 1, 5},
    GuestDevice{"/dev/full", 1, 7},    GuestDevice{"/dev/random", 1, 8},
    GuestDevice{"/dev/urandom", 1, 9}, GuestDevice{"/dev/tty", 5, 0},
};

Result<void> check_devices(const Node& linux_node) {
  for (const Node& item : TRY(linux_node.array("devices"))) {
    TRY(item.as_object());
    const std::string path = clean_path(TRY(absolute_path(TRY(item.required("path")))));
    const std::string type = TRY(TRY(item.required("type")).string());
    const auto number = [&](std::string_view key) -> Result<std::int64_t> {
      const auto node = item.member(key);
      return node ? node->integer() : Result<std::int64_t>(0);
    };
    const std::int64_t major = TRY(number("major"));
    const std::int64_t minor = TRY(number("minor"));
    const bool known =
        (type == "c" || type == "u") &&
        std::any_of(kGuestDevices.begin(), kGuestDevices.end(), [&](const GuestDevice& device) {
          return device.path == path && device.major == major && device.minor == minor;
        });
    if (!known) {
      return item.unsupported("device " + printable(path) +
                              ": the guest has a /dev of its own and none of the host's devices");
    }
    constexpr std::int64_t kReadWriteForAll = 0666;
    for (const std::string_view key : {"uid", "gid", "fileMode"}) {
      const auto node = item.member(key);
      const std::int64_t usual = key == "fileMode" ? kReadWriteForAll : 0;
      if (node && TRY(node->integer()) != usual) {
        return node->unsupported("the guest's devices belong to root with mode 0666");
      }
    }
  }
  return {};
}

}  // namespace

Result<void> convert_linux(const Node& document, Config* config) {
  const auto linux_node = TRY(document.object("linux"));
  if (!linux_node) {
    return {};
  }
  TRY(read_namespaces(*linux_node, config));
  TRY(read_user_namespace(*linux_node, config));
  TRY(read_sysctls(*linux_node, config));
  config->masked_paths = TRY(read_paths(*linux_node, "maskedPaths"));
  config->readonly_paths = TRY(read_paths(*linux_node, "readonlyPaths"));
  if (const auto path = linux_node->member("cgroupsPath")) {
    config->cgroups_path = TRY(path->string());
    if (has_dot_dot(config->cgroups_path)) {
      return path->refuse("must not contain \"..\"");
    }
  }
  TRY(check_propagation(*linux_node));
  TRY(check_personality(*linux_node));
  return check_devices(*linux_node);
}

}  // namespace runhl::oci
