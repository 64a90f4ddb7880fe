// SPDX-License-Identifier: Apache-2.0
// What `docker save` writes and `docker load` reads: a tar with manifest.json, which names a
// configuration and layers for each image. May be compressed by gzip or zstd.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "runhl/store/stored_image.h"

namespace runhl::oci {

/// Takes every image that has a name, and `name` for the only one where it is given. The names
/// that they have then. Errors: InvalidArgument.
Result<std::vector<std::string>> load_docker_archive(const Store& store, const std::string& file,
                                                     const std::string& name = {});

/// Writes one image; replaces the file.
Result<void> save_docker_archive(const Store& store, const StoredImage& image,
                                 const std::string& file);

/// One image of a manifest.json.
struct ArchivedImage {
  std::string config;  // paths in the archive
  std::vector<std::string> layers;
  std::vector<std::string> names;
};
/// Errors: InvalidArgument.
Result<std::vector<ArchivedImage>> parse_archive_manifest(std::string_view text);

}  // namespace runhl::oci
