// SPDX-License-Identifier: Apache-2.0
#include "runhl/oci/spec.h"

#include <unistd.h>

#include <nlohmann/json.hpp>

namespace runhl::oci {
namespace {

using Json = nlohmann::ordered_json;

Json mount(const char* destination, const char* type, const char* source,
           const std::vector<std::string>& options) {
  Json out = {{"destination", destination}, {"type", type}, {"source", source}};
  if (!options.empty()) {
    out["options"] = options;
  }
  return out;
}

Json default_process() {
  const Json capabilities = {"CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"};
  return {
      {"terminal", true},
      {"user", {{"uid", 0}, {"gid", 0}}},
      {"args", {"sh"}},
      {"env", {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"}},
      {"cwd", "/"},
      {"capabilities",
       {{"bounding", capabilities},
        {"effective", capabilities},
        {"permitted", capabilities},
        {"ambient", capabilities}}},
      {"rlimits", Json::array({{{"type", "RLIMIT_NOFILE"}, {"hard", 1024}, {"soft", 1024}}})},
      {"noNewPrivileges", true},
  };
}

Json default_mounts(bool rootless) {
  std::vector<std::string> pts = {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"};
  if (!rootless) {
    pts.emplace_back("gid=5");  // a group that a one-id map does not have
  }
  Json out = Json::array();
  out.push_back(mount("/proc", "proc", "proc", {}));
  out.push_back(
      mount("/dev", "tmpfs", "tmpfs", {"nosuid", "strictatime", "mode=755", "size=65536k"}));
  out.push_back(mount("/dev/pts", "devpts", "devpts", std::move(pts)));
  out.push_back(
      mount("/dev/shm", "tmpfs", "shm", {"nosuid", "noexec", "nodev", "mode=1777", "size=65536k"}));
  out.push_back(mount("/dev/mqueue", "mqueue", "mqueue", {"nosuid", "noexec", "nodev"}));
  out.push_back(mount("/sys", "sysfs", "sysfs", {"nosuid", "noexec", "nodev", "ro"}));
  out.push_back(
      mount("/sys/fs/cgroup", "cgroup", "cgroup", {"nosuid", "noexec", "nodev", "relatime", "ro"}));
  return out;
}

Json namespaces(std::initializer_list<const char*> types) {
  Json out = Json::array();
  for (const char* type : types) {
    out.push_back({{"type", type}});
  }
  return out;
}

Json default_linux(bool rootless) {
  Json out = Json::object();
  if (rootless) {
    const auto map_one = [](std::uint32_t id) {
      return Json::array({{{"containerID", 0}, {"hostID", id}, {"size", 1}}});
    };
    out["uidMappings"] = map_one(::geteuid());
    out["gidMappings"] = map_one(::getegid());
    out["namespaces"] = namespaces({"pid", "ipc", "uts", "mount", "user"});
  } else {
    out["resources"] = {{"devices", Json::array({{{"allow", false}, {"access", "rwm"}}})}};
    out["namespaces"] = namespaces({"pid", "network", "ipc", "uts", "mount"});
  }
  out["maskedPaths"] = {"/proc/acpi",        "/proc/asound",        "/proc/kcore",
                        "/proc/keys",        "/proc/latency_stats", "/proc/timer_list",
                        "/proc/timer_stats", "/proc/sched_debug",   "/sys/firmware",
                        "/proc/scsi"};
  out["readonlyPaths"] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"};
  return out;
}

}  // namespace

Result<std::string> default_spec(bool rootless) {
  const Json spec = {
      {"ociVersion", "1.0.2"},
      {"process", default_process()},
      {"root", {{"path", "rootfs"}, {"readonly", true}}},
      {"hostname", "runhl"},
      {"mounts", default_mounts(rootless)},
      {"linux", default_linux(rootless)},
  };
  return spec.dump(1, '\t');
}

}  // namespace runhl::oci
