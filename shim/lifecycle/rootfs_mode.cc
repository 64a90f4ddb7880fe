// SPDX-License-Identifier: Apache-2.0
#include "lifecycle/rootfs_mode.h"

#include <optional>

namespace runhl::shim {
namespace {

Result<RootfsMode> parse_mode(const std::string& word, const std::string& where) {
  for (const RootfsMode mode : {RootfsMode::Direct, RootfsMode::Initrd}) {
    if (word == to_string(mode)) {
      return mode;
    }
  }
  return fail(ErrorCode::InvalidArgument,
              where + ": \"" + word + "\" is neither direct nor initrd");
}

/// A volume out of the root file system's own directory would show other files than the container
/// sees there.
Result<void> check_volumes(const oci::Config& config) {
  for (std::size_t i = 0; i < config.mounts.size(); ++i) {
    const oci::ConfigMount& mount = config.mounts[i];
    if (mount.bind &&
        (mount.source == config.root_path || mount.source.starts_with(config.root_path + "/"))) {
      return fail(ErrorCode::Unsupported,
                  "/mounts/" + std::to_string(i) +
                      "/source: lies in the root file system, whose changes stay in memory with "
                      "rootfs mode initrd; use direct");
    }
  }
  return {};
}

/// None: nobody says.
Result<std::optional<RootfsMode>> asked_mode(const CreateRequest& request,
                                             const oci::Config& config) {
  if (!request.rootfs_mode.empty()) {
    return TRY(parse_mode(request.rootfs_mode, "--rootfs-mode"));
  }
  const auto annotation = config.annotations.find(kRootfsAnnotation);
  if (annotation == config.annotations.end()) {
    return std::nullopt;
  }
  return TRY(parse_mode(annotation->second, std::string("/annotations/") + kRootfsAnnotation));
}

}  // namespace

std::string_view to_string(RootfsMode mode) {
  return mode == RootfsMode::Direct ? "direct" : "initrd";
}

Result<RootfsMode> rootfs_mode(const CreateRequest& request, const oci::Config& config) {
  const RootfsMode mode = TRY(asked_mode(request, config)).value_or(RootfsMode::Direct);
  if (mode == RootfsMode::Initrd) {
    TRY(check_volumes(config));
  } else if (request.rootfs_size != 0) {
    return fail(ErrorCode::InvalidArgument, "--rootfs-size: only with --rootfs-mode initrd");
  }
  return mode;
}

Result<RootfsMode> upstream_rootfs_mode(const CreateRequest& request, const oci::Config& config) {
  if (TRY(asked_mode(request, config)).value_or(RootfsMode::Initrd) == RootfsMode::Direct) {
    return fail(ErrorCode::Unsupported,
                "rootfs mode direct: an upstream kernel's root file system is an archive; use "
                "initrd");
  }
  if (request.rootfs_size != 0) {
    return fail(ErrorCode::Unsupported,
                "--rootfs-size: an upstream kernel bounds the guest's memory as a whole");
  }
  TRY(check_volumes(config));
  return RootfsMode::Initrd;
}

}  // namespace runhl::shim
