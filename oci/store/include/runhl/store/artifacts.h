// SPDX-License-Identifier: Apache-2.0
// Kernels and root file systems: one file each. They lie in stores of their own beside the images:
//
//   <store>/kernels/    <store>/rootfs/       each an OCI layout with locks, as <store> is
//   name → manifest { config: {} whose type tells the kind, layers: [ the file ] }
//
// What names a file is a reference, as of an image, or kDefaultArtifact. It stays what it is until
// it is pulled again: the registry is not asked.
//
//   const Store kernels = TRY(open_artifacts(directory, ArtifactKind::Kernel));
//   const StoredArtifact kernel = TRY(find_artifact(kernels, "ghcr.io/owner/kernel:1"));
//   const UniqueFd fd = TRY(kernels.blob(kernel.file));
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "runhl/store/store.h"

namespace runhl::oci {

enum class ArtifactKind : std::uint8_t { Kernel, Rootfs };
std::string_view to_string(ArtifactKind kind);  // "kernel", "rootfs"

/// The name of what is taken where nobody says which.
inline constexpr std::string_view kDefaultArtifact = "default";

struct StoredArtifact {
  NamedImage named;
  Descriptor file;
  std::string source;  ///< digest of the registry's manifest that it came by
  std::string detail;  ///< a kernel's generation
};

/// Of an image store's directory. Errors: those of Store::open.
Result<Store> open_artifacts(const std::string& directory, ArtifactKind kind);

/// Sorted by name. Errors: a manifest that is not one of ours.
Result<std::vector<StoredArtifact>> list_artifacts(const Store& artifacts);

/// By name, by what names the same content in a registry (NAME@sha256:…), or by the file's own
/// digest. Errors: NotFound; InvalidArgument (no reference).
Result<StoredArtifact> find_artifact(const Store& artifacts, std::string_view text);

/// Where a file came from, and what is known of it: see StoredArtifact.
struct ArtifactOrigin {
  std::string source, detail;
};
/// @param manifest  what artifact_manifest() made, as it lies in the store
Result<void> name_artifact(const Store& artifacts, const std::string& name, Descriptor manifest,
                           const ArtifactOrigin& origin);

/// The manifest's text for a file. `config` is that of kArtifactConfig in the store.
inline constexpr std::string_view kArtifactConfig = "{}";
std::string artifact_manifest(const Descriptor& config, const Descriptor& file);
std::string_view config_type(ArtifactKind kind);
std::string_view file_type(ArtifactKind kind);

}  // namespace runhl::oci
