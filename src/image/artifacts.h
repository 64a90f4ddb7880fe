// SPDX-License-Identifier: Apache-2.0
// Kernels and root file systems out of registries, as they are published for upstream's host:
//
//   kernel   an image that has the file /kernel
//   rootfs   an image that has the file /initrd.cpio or /rootfs.cpio, or an artifact whose one
//            layer is the archive, compressed or not
//
// What is in there is judged as it will be before it boots; only the file stays in the store.
#pragma once

#include <span>
#include <string>

#include "image/pull_output.h"
#include "runhl/reference/reference.h"
#include "runhl/registry/pull.h"
#include "runhl/store/artifacts.h"

namespace runhl::image {

/// Into the store of this kind that belongs to `store`. Nothing but the manifest is fetched where
/// it is there already. The digest is that of the registry's manifest: NAME@DIGEST is this one for
/// ever. Errors: the registry's; InvalidArgument, Unsupported: what came is no such thing.
Result<Pulled> pull_artifact(const oci::Store& store, oci::ArtifactKind kind,
                             const oci::Reference& reference, const oci::PullOptions& options);

/// A line each. `names`: nothing but those.
Result<void> print_artifacts(const oci::Store& store, oci::ArtifactKind kind, bool names);
/// Reads all again; 1 where one is damaged.
Result<int> verify_artifacts(const oci::Store& store, oci::ArtifactKind kind);
Result<void> remove_artifacts(const oci::Store& store, oci::ArtifactKind kind,
                              std::span<const std::string> names);

}  // namespace runhl::image
