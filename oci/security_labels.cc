// SPDX-License-Identifier: Apache-2.0
// Names of host policies: AppArmor profiles and SELinux labels. Loading them onto our processes
// would restrict the host's side, not the container. What the engines' defaults ask of a container
// holds by the cell; any other name is a promise that nobody here keeps.
#include <algorithm>
#include <array>

#include "convert.h"
#include "seccomp_profile.h"

namespace runhl::oci {
namespace {

bool is_default_apparmor(std::string_view name) {
  constexpr std::array<std::string_view, 6> kDefaults = {"",
                                                         "unconfined",
                                                         "docker-default",
                                                         "cri-containerd.apparmor.d",
                                                         "crio-default",
                                                         "nerdctl-default"};
  return std::find(kDefaults.begin(), kDefaults.end(), name) != kDefaults.end() ||
         name.starts_with("containers-default-");  // podman appends its version
}

/// The third field of user:role:type:level.
std::string_view selinux_type(std::string_view label) {
  for (int field = 0; field < 2; ++field) {
    const std::size_t colon = label.find(':');
    if (colon == std::string_view::npos) {
      return "";
    }
    label.remove_prefix(colon + 1);
  }
  return label.substr(0, label.find(':'));
}

bool is_default_selinux(std::string_view label) {
  constexpr std::array<std::string_view, 9> kTypes = {
      "container_t",         "container_init_t", "container_kvm_t",  "spc_t",
      "svirt_lxc_net_t",     "unconfined_t",     "container_file_t", "container_ro_file_t",
      "svirt_sandbox_file_t"};
  const std::string_view type = selinux_type(label);
  return label.empty() || std::find(kTypes.begin(), kTypes.end(), type) != kTypes.end();
}

Result<void> check_selinux(const Node& section, std::string_view key) {
  const auto label = section.member(key);
  if (label && !is_default_selinux(TRY(label->string()))) {
    return label->unsupported("SELinux label " + printable(label->value().text) +
                              "; only the engines' default types for containers are accepted");
  }
  return {};
}

}  // namespace

Result<void> check_security(const Node& document, Config* config) {
  const Node process = TRY(document.required("process"));
  if (const auto profile = process.member("apparmorProfile")) {
    if (!is_default_apparmor(TRY(profile->string()))) {
      return profile->unsupported("AppArmor profile " + printable(profile->value().text) +
                                  "; only the engines' default profiles are accepted");
    }
  }
  TRY(check_selinux(process, "selinuxLabel"));
  const auto linux_node = TRY(document.object("linux"));
  if (!linux_node) {
    return {};
  }
  TRY(check_selinux(*linux_node, "mountLabel"));
  const auto seccomp = TRY(linux_node->object("seccomp"));
  return seccomp ? check_seccomp(*seccomp, &config->warnings) : Result<void>();
}

}  // namespace runhl::oci
