// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include "convert.h"
#include "mount_options.h"

namespace runhl::oci {
namespace {

constexpr std::size_t kMaxPath = 4096;

constexpr std::array<std::string_view, 7> kGuestTypes = {"proc",   "sysfs",  "tmpfs",  "devpts",
                                                         "mqueue", "cgroup", "cgroup2"};

bool asks_to_bind(const std::vector<Node>& options) {
  return std::any_of(options.begin(), options.end(), [](const Node& option) {
    const std::string& word = option.value().text;
    return word == "bind" || word == "rbind";
  });
}

Result<std::string> read_destination(const Node& mount) {
  const Node destination = TRY(mount.required("destination"));
  const std::string path = TRY(absolute_path(destination));
  if (path.size() >= kMaxPath) {
    return destination.refuse("is longer than 4095 bytes");
  }
  std::string clean = clean_path(path);
  if (clean == "/") {
    return destination.unsupported("a mount over the container's root; use root.path");
  }
  return clean;
}

/// bind: absolute; others: as written.
Result<std::string> read_source(const Node& mount, bool bind, std::string_view bundle_path) {
  if (!bind) {
    return mount.string_or("source");
  }
  const Node source = TRY(mount.required("source"));
  const std::string path = TRY(source.string());
  if (path.empty()) {
    return source.refuse("must not be empty");
  }
  std::string resolved = resolve_path(path, bundle_path);
  if (resolved.size() >= kMaxPath) {
    return source.refuse("is longer than 4095 bytes");
  }
  return resolved;
}

/// A bind of the host's /sys or /proc onto the same place (rootless specs have one, since they may
/// not mount) becomes the guest's own; anything else of the host's kernel is not served.
Result<void> replace_kernel_bind(const Node& node, ConfigMount* mount) {
  struct KernelTree {
    std::string_view path, type;
  };
  constexpr std::array kTrees = {KernelTree{"/sys/fs/cgroup", "cgroup"},
                                 KernelTree{"/sys", "sysfs"}, KernelTree{"/proc", "proc"}};
  if (!mount->bind) {
    return {};
  }
  for (const KernelTree& tree : kTrees) {
    if (mount->source == tree.path && mount->destination == tree.path) {
      mount->bind = false;
      mount->type = tree.type;
      return {};
    }
    if (mount->source == tree.path || mount->source.starts_with(std::string(tree.path) + "/")) {
      return TRY(node.required("source"))
          .unsupported("the host's kernel file systems are not served; mount the guest's own");
    }
  }
  return {};
}

Result<ConfigMount> read_mount(const Node& node, std::string_view bundle_path,
                               std::vector<std::string>* warnings) {
  TRY(node.as_object());
  ConfigMount mount;
  mount.destination = TRY(read_destination(node));
  mount.type = TRY(node.string_or("type"));
  const std::vector<Node> options = TRY(node.array("options"));
  mount.bind = mount.type == "bind" || asks_to_bind(options);
  if (mount.bind) {
    mount.type = "bind";
  } else if (std::find(kGuestTypes.begin(), kGuestTypes.end(), mount.type) == kGuestTypes.end()) {
    const auto type = node.member("type");
    if (!type) {
      return node.refuse("needs a type, or the option bind");
    }
    return type->unsupported("file system " + printable(mount.type) +
                             "; bind, tmpfs, proc, sysfs, devpts, mqueue and cgroup are");
  }
  mount.source = TRY(read_source(node, mount.bind, bundle_path));
  TRY(replace_kernel_bind(node, &mount));
  TRY(decode_mount_options(options, &mount, warnings));
  mount.bind = mount.type == "bind";
  return mount;
}

}  // namespace

Result<void> convert_root(const Node& document, std::string_view bundle_path, Config* config) {
  const Node root = TRY(document.required("root"));
  TRY(root.as_object());
  const Node path = TRY(root.required("path"));
  const std::string text = TRY(path.string());
  if (text.empty()) {
    return path.refuse("must not be empty");
  }
  config->root_path = resolve_path(text, bundle_path);
  if (config->root_path.size() >= kMaxPath) {
    return path.refuse("is longer than 4095 bytes");
  }
  if (config->root_path == "/") {
    return path.unsupported("the host's root as the container's");
  }
  config->root_readonly = TRY(root.boolean_or("readonly", false));
  return {};
}

Result<void> convert_mounts(const Node& document, std::string_view bundle_path, Config* config) {
  constexpr std::size_t kMaxMounts = 4096;
  const std::vector<Node> mounts = TRY(document.array("mounts"));
  if (mounts.size() > kMaxMounts) {
    return mounts[kMaxMounts].refuse("more than 4096 mounts");
  }
  for (const Node& mount : mounts) {
    config->mounts.push_back(TRY(read_mount(mount, bundle_path, &config->warnings)));
  }
  return {};
}

}  // namespace runhl::oci
