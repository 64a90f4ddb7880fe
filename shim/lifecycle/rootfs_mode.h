// SPDX-License-Identifier: Apache-2.0
// Which form the root file system has in the guest, and what a bundle must not ask of an archive.
#pragma once

#include "runhl/oci/config.h"
#include "runhl/shim/lifecycle.h"

namespace runhl::shim {

inline constexpr const char* kRootfsAnnotation = "dev.runhl.rootfs";
/// What `state` calls the upstream kernel; the verbs read it from config.json, too.
inline constexpr const char* kKernelAnnotation = "dev.runhl.kernel";

/// The option wins over the annotation. Errors: InvalidArgument (another word), Unsupported (the
/// bundle relies on its directory seeing what the container writes; by JSON pointer).
Result<RootfsMode> rootfs_mode(const CreateRequest& request, const oci::Config& config);
/// Of a container on an upstream kernel: always an archive.
Result<RootfsMode> upstream_rootfs_mode(const CreateRequest& request, const oci::Config& config);

}  // namespace runhl::shim
