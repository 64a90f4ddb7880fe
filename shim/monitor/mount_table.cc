// SPDX-License-Identifier: Apache-2.0
#include "monitor/mount_table.h"

#include <utility>

namespace runhl::shim {
namespace {

constexpr std::uint32_t kDefaultTmpfsMode = 01777;  // as Linux
constexpr std::uint32_t kDefaultDevMode = 0755;
constexpr std::uint32_t kDefaultTerminalMode = 0600;  // as Linux's devpts

/// A tmpfs on /dev is the guest's device directory: every engine asks for it so, and expects the
/// usual devices in it.
vmm::MountKind kind_of(const oci::ConfigMount& mount) {
  if (mount.bind) {
    return vmm::MountKind::Tree;
  }
  if (mount.type == "tmpfs") {
    return mount.destination == "/dev" ? vmm::MountKind::Dev : vmm::MountKind::Tmpfs;
  }
  if (mount.type == "proc") {
    return vmm::MountKind::Proc;
  }
  if (mount.type == "sysfs") {
    return vmm::MountKind::Sys;
  }
  if (mount.type == "devpts") {
    return vmm::MountKind::Devpts;
  }
  return mount.type == "mqueue" ? vmm::MountKind::Mqueue : vmm::MountKind::Cgroup;
}

std::uint32_t mode_of(const oci::ConfigMount& mount, vmm::MountKind kind) {
  if (mount.mode != 0) {
    return mount.mode;
  }
  switch (kind) {
    case vmm::MountKind::Tmpfs:
      return kDefaultTmpfsMode;
    case vmm::MountKind::Devpts:
      return kDefaultTerminalMode;
    default:
      return kDefaultDevMode;
  }
}

vmm::Mount to_mount(const oci::ConfigMount& mount) {
  vmm::Mount out;
  out.kind = kind_of(mount);
  out.target = mount.destination;
  out.source = mount.bind || !mount.source.empty() ? mount.source : mount.type;
  out.read_only = mount.read_only;
  out.no_suid = mount.no_suid;
  out.no_dev = mount.no_dev;
  out.no_exec = mount.no_exec;
  out.strict = mount.bind;  // a volume changes under us, the root file system hardly ever
  out.mode = mode_of(mount, out.kind);
  out.gid = mount.gid;
  out.size_bytes = mount.size_bytes;
  return out;
}

void add_tree(MountPlan* plan, TreeRequest tree, vmm::Mount mount) {
  mount.tree = plan->trees.size();
  plan->trees.push_back(std::move(tree));
  plan->mounts.push_back(std::move(mount));
}

vmm::Mount covering(vmm::MountKind kind, const std::string& target) {
  vmm::Mount mount;
  mount.kind = kind;
  mount.target = target;
  mount.source = kind == vmm::MountKind::Masked ? "tmpfs" : "";
  mount.read_only = true;
  return mount;
}

}  // namespace

MountPlan plan_mounts(const oci::Config& config, const RootPlan& root_plan) {
  MountPlan plan;
  vmm::Mount root;
  root.target = "/";
  root.source = "rootfs";
  root.read_only = config.root_readonly;
  if (root_plan.mode == RootfsMode::Initrd) {
    root.kind = vmm::MountKind::Initrd;
    root.size_bytes = root_plan.size;
    plan.mounts.push_back(std::move(root));
  } else {
    // As with runc's rootfs: what the root file system has mounted below it is part of it.
    add_tree(&plan,
             {.source = config.root_path,
              .pointer = "/root/path",
              .read_only = config.root_readonly,
              .recursive = true},
             std::move(root));
  }
  for (std::size_t i = 0; i < config.mounts.size(); ++i) {
    const oci::ConfigMount& mount = config.mounts[i];
    if (!mount.bind) {
      plan.mounts.push_back(to_mount(mount));
      continue;
    }
    add_tree(&plan,
             {.source = mount.source,
              .pointer = "/mounts/" + std::to_string(i) + "/source",
              .read_only = mount.read_only,
              .recursive = mount.recursive},
             to_mount(mount));
  }
  for (const std::string& path : config.readonly_paths) {
    plan.mounts.push_back(covering(vmm::MountKind::ReadOnly, path));
  }
  for (const std::string& path : config.masked_paths) {
    plan.mounts.push_back(covering(vmm::MountKind::Masked, path));
  }
  return plan;
}

}  // namespace runhl::shim
