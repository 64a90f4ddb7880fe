// SPDX-License-Identifier: Apache-2.0
// An image's documents as plain structs. They come from registries and files: every member is
// checked, an error names the JSON pointer.
//
//   descriptor ─► index ─► (one a platform) manifest ─► config, layers
//
//   const Document document = TRY(parse_document(text));
//   if (const auto* manifest = std::get_if<Manifest>(&document)) …
//
// Source: OCI image-spec 1.1 (descriptor, image-index, manifest, config); docker's "Image Manifest
// Version 2, Schema 2" has the same members under other media types.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "runhl/base/result.h"
#include "runhl/reference/digest.h"

namespace runhl::oci {

inline constexpr std::uint64_t kMaxDocumentBytes = 4ULL << 20;  // as registries take them
inline constexpr std::size_t kMaxLayers = 1000;                 // docker makes 127 at most
inline constexpr std::size_t kMaxManifests = 1000;              // in one index

struct Platform {
  std::string os, architecture, variant;
  friend bool operator==(const Platform&, const Platform&) = default;
};

struct Descriptor {
  std::string media_type;
  Digest digest;
  std::uint64_t size = 0;
  std::optional<Platform> platform = std::nullopt;
  // Written, so that who names the others may leave it out.
  std::map<std::string, std::string> annotations{};  // NOLINT(readability-redundant-member-init)
};

struct Index {
  std::vector<Descriptor> manifests;
};

struct Manifest {
  Descriptor config;
  std::vector<Descriptor> layers;  // the lowest first
};

/// Each blob once: an image may have the same one several times.
std::vector<Descriptor> distinct_layers(const Manifest& manifest);

using Document = std::variant<Index, Manifest>;

/// What a container gets from its image.
struct ImageConfig {
  Platform platform;
  std::string created;  // RFC 3339; empty: not given
  std::string user, working_dir, stop_signal;
  std::vector<std::string> env, entrypoint, cmd;
  std::vector<std::string> volumes;
  std::vector<Digest> diff_ids;  // of the uncompressed layers, the lowest first
};

/// An index or a manifest. Errors: InvalidArgument; Unsupported (docker's schema 1).
Result<Document> parse_document(std::string_view text);
/// What an index or manifest calls itself; OCI's name where it does not. Errors: those of
/// parse_document.
Result<std::string> media_type_of(std::string_view document);
/// Errors: InvalidArgument, also where there is no root file system: some artifact, no image.
Result<ImageConfig> parse_image_config(std::string_view text);

/// As OCI writes them.
std::string to_json(const Manifest& manifest);
std::string to_json(const Index& index);

/// Whether configuration and manifest tell of the same layers.
Result<void> check_layers(const Manifest& manifest, const ImageConfig& config);

}  // namespace runhl::oci
