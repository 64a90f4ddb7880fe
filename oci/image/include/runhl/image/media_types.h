// SPDX-License-Identifier: Apache-2.0
// The media types of an image's parts, OCI's and docker's.
#pragma once

#include <string_view>

#include "runhl/base/result.h"

namespace runhl::oci {

inline constexpr std::string_view kOciIndex = "application/vnd.oci.image.index.v1+json";
inline constexpr std::string_view kOciManifest = "application/vnd.oci.image.manifest.v1+json";
inline constexpr std::string_view kOciConfig = "application/vnd.oci.image.config.v1+json";
inline constexpr std::string_view kOciLayerTar = "application/vnd.oci.image.layer.v1.tar";
inline constexpr std::string_view kOciLayerGzip = "application/vnd.oci.image.layer.v1.tar+gzip";
inline constexpr std::string_view kOciLayerZstd = "application/vnd.oci.image.layer.v1.tar+zstd";
inline constexpr std::string_view kDockerIndex =
    "application/vnd.docker.distribution.manifest.list.v2+json";
inline constexpr std::string_view kDockerManifest =
    "application/vnd.docker.distribution.manifest.v2+json";
inline constexpr std::string_view kDockerConfig = "application/vnd.docker.container.image.v1+json";

bool is_index(std::string_view media_type);
bool is_manifest(std::string_view media_type);

/// Whether a layer of this type can be unpacked. Errors: Unsupported, with the reason: foreign,
/// encrypted, or unknown.
Result<void> check_layer_type(std::string_view media_type);

}  // namespace runhl::oci
