// SPDX-License-Identifier: Apache-2.0
#include "runhl/image/media_types.h"

#include <algorithm>
#include <array>
#include <string>

namespace runhl::oci {
namespace {

constexpr std::array kLayerTypes = {
    kOciLayerTar,
    kOciLayerGzip,
    kOciLayerZstd,
    std::string_view("application/vnd.docker.image.rootfs.diff.tar"),
    std::string_view("application/vnd.docker.image.rootfs.diff.tar.gzip"),
    std::string_view("application/vnd.docker.image.rootfs.diff.tar.zstd"),
};

}  // namespace

bool is_index(std::string_view media_type) {
  return media_type == kOciIndex || media_type == kDockerIndex;
}

bool is_manifest(std::string_view media_type) {
  return media_type == kOciManifest || media_type == kDockerManifest;
}

Result<void> check_layer_type(std::string_view media_type) {
  if (std::find(kLayerTypes.begin(), kLayerTypes.end(), media_type) != kLayerTypes.end()) {
    return {};
  }
  const auto has = [media_type](std::string_view word) {
    return media_type.find(word) != std::string_view::npos;
  };
  const char* const why = has("encrypted") ? "is encrypted"
                          : has("foreign") || has("nondistributable")
                              ? "is foreign: registries do not hold it"
                              : "is of an unknown type";
  return fail(ErrorCode::Unsupported, std::string(why) + " (" + std::string(media_type) + ")");
}

}  // namespace runhl::oci
