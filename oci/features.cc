// SPDX-License-Identifier: Apache-2.0
#include <nlohmann/json.hpp>

#include "linux_names.h"
#include "mount_options.h"
#include "runhl/oci/spec.h"

namespace runhl::oci {
namespace {

using Json = nlohmann::ordered_json;

Json disabled() {
  return {{"enabled", false}};
}

Json linux_features() {
  const auto names = capability_names();
  return {
      {"namespaces", {"cgroup", "ipc", "mount", "network", "pid", "user", "uts"}},
      {"capabilities", std::vector<std::string_view>(names.begin(), names.end())},
      {"cgroup",
       {{"v1", true}, {"v2", true}, {"systemd", false}, {"systemdUser", false}, {"rdma", false}}},
      // Profiles that allow what the engines' defaults allow are accepted; the guest runs none.
      {"seccomp", disabled()},
      {"apparmor", disabled()},
      {"selinux", disabled()},
      {"intelRdt", disabled()},
      {"mountExtensions", {{"idmap", disabled()}}},
  };
}

}  // namespace

std::string features_json() {
  const Json features = {
      {"ociVersionMin", "1.0.0"},
      {"ociVersionMax", "1.2.0"},
      {"hooks",
       {"prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"}},
      {"mountOptions", accepted_mount_options()},
      {"linux", linux_features()},
      {"annotations",
       {{"dev.runhl.isolation", "cell,vm,emulated"},
        {"dev.runhl.kernel", "an upstream kernel of the store"},
        {"dev.runhl.map-files", "on,off"},
        {"dev.runhl.rewrite", "on,off"},
        {"dev.runhl.rootfs", "direct,initrd"}}},
      {"potentiallyUnsafeConfigAnnotations", {"dev.runhl."}},
  };
  constexpr int kIndent = 2;
  return features.dump(kIndent);
}

}  // namespace runhl::oci
