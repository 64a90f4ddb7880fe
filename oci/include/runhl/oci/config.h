// SPDX-License-Identifier: Apache-2.0
// A bundle's config.json as plain structs: the parts that a container's life uses. What config.json
// asks beyond these was either checked to hold, or refused, by the field ledger (ledger.h).
//
//   const oci::Config config = TRY(oci::load_config(bundle_fd, "/path/of/bundle"));
//
// Source: OCI runtime-spec 1.0.2 and later 1.x (newer ociVersions are accepted).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "runhl/base/result.h"

namespace runhl::oci {

struct User {
  std::uint32_t uid = 0, gid = 0;
  std::optional<std::uint32_t> umask;
  std::vector<std::uint32_t> additional_gids;
};

struct CapabilitySets {  // bit n = CAP n
  std::uint64_t bounding = 0, effective = 0, inheritable = 0, permitted = 0, ambient = 0;
};

struct ConfigRlimit {
  int resource = 0;  // RLIMIT_*
  std::uint64_t soft = 0, hard = 0;
};

struct ConsoleSize {
  unsigned height = 0, width = 0;
};

struct Process {
  bool terminal = false;
  std::optional<ConsoleSize> console_size;
  User user;
  std::vector<std::string> args;
  std::vector<std::string> env;
  std::string cwd;
  std::optional<CapabilitySets> capabilities;  // absent: none at all
  std::vector<ConfigRlimit> rlimits;
  bool no_new_privileges = false;
  std::optional<int> oom_score_adj;
};

/// One entry of `mounts`, its options decoded.
struct ConfigMount {
  std::string destination;  // absolute, normalised
  std::string type;         // "bind", "proc", "tmpfs", ...
  std::string source;       // bind: absolute (resolved against the bundle), else as written
  bool bind = false, recursive = false;
  bool read_only = false, no_suid = false, no_dev = false, no_exec = false;
  std::uint32_t mode = 0;            // tmpfs and devpts mode=, 0: not given
  std::uint64_t size_bytes = 0;      // tmpfs size=, 0: not given
  std::uint32_t uid = 0, gid = 0;    // tmpfs and devpts uid=, gid=
  std::vector<std::string> options;  // as written
};

enum class NamespaceType : std::uint8_t { Pid, Network, Mount, Ipc, Uts, User, Cgroup, Time };

struct Namespace {
  NamespaceType type = NamespaceType::Pid;
  std::string path;  // empty: new
};

struct IdMapping {
  std::uint32_t container_id = 0, host_id = 0, size = 0;
};

struct Hook {
  std::string path;
  std::vector<std::string> args;
  std::vector<std::string> env;
  std::optional<int> timeout_seconds;
};

struct Hooks {
  std::vector<Hook> prestart, create_runtime, create_container, start_container, poststart,
      poststop;
};

struct DeviceRule {
  bool allow = false;
  char type = 'a';  // 'a', 'c', 'b'
  std::optional<std::int64_t> major, minor;
  std::string access = "rwm";
};

struct Resources {
  // memory, bytes; -1: unlimited, absent: leave as is
  std::optional<std::int64_t> memory_limit, memory_reservation, memory_swap;
  std::optional<std::uint64_t> memory_swappiness;
  std::optional<bool> disable_oom_killer;
  std::optional<std::uint64_t> cpu_shares, cpu_period;
  std::optional<std::int64_t> cpu_quota;
  std::string cpuset_cpus, cpuset_mems;
  std::optional<std::int64_t> pids_limit;
  std::vector<DeviceRule> devices;
  std::map<std::string, std::string> unified;  // cgroup v2 file -> value
};

struct Config {
  std::string oci_version;
  Process process;
  std::string root_path;  // absolute: resolved against the bundle
  bool root_readonly = false;
  std::string hostname, domainname;
  std::vector<ConfigMount> mounts;
  Hooks hooks;
  std::map<std::string, std::string> annotations;
  std::vector<Namespace> namespaces;
  std::vector<IdMapping> uid_mappings, gid_mappings;
  std::string cgroups_path;
  Resources resources;
  std::vector<std::string> masked_paths, readonly_paths;
  std::map<std::string, std::string> sysctl;        // net.*, set on the host
  std::map<std::string, std::string> guest_sysctl;  // kernel.shm* and the like, kept by the guest
  std::vector<std::string> warnings;  // what was accepted and has no effect; one line each
};

}  // namespace runhl::oci
