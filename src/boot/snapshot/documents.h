// SPDX-License-Identifier: Apache-2.0
// The documents of a snapshot's layout beside its configuration: index, manifest, oci-layout.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "boot/snapshot/directory.h"
#include "runhl/base/result.h"
#include "runhl/reference/digest.h"

namespace runhl::boot {

struct BlobName {
  std::string media_type;
  oci::Digest digest;
  std::uint64_t size = 0;
};

struct SnapshotManifest {
  BlobName config, memory;
  std::vector<BlobName> transport;  ///< none or one
  std::string tag;                  ///< as the index has it; empty: not told
  SnapshotOrigin origin;            ///< its key comes from the index
};

struct SnapshotIndex {
  BlobName manifest;
  std::string tag, arch;
  SnapshotHost host;
};

inline constexpr std::string_view kLayoutText = "{\"imageLayoutVersion\":\"1.0.0\"}";
inline constexpr std::string_view kMemoryType = "application/vnd.hyperlight.snapshot.memory.v1";
inline constexpr std::string_view kTransportType =
    "application/vnd.hyperlight.snapshot.transport.v1";

/// Of the file oci-layout, which no digest covers either.
Result<void> check_layout(std::string_view text);

/// "<release>-<key>".
std::string tag_of(const SnapshotOrigin& origin);

std::string format_manifest(const SnapshotManifest& manifest);
Result<SnapshotManifest> parse_manifest(std::string_view text);

std::string format_index(const SnapshotIndex& index);
/// Has nothing in it that is not looked at: no digest covers it.
Result<SnapshotIndex> parse_index(std::string_view text);

}  // namespace runhl::boot
