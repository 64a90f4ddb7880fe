// SPDX-License-Identifier: Apache-2.0
// An image into a registry: blobs that it does not have, then what names them. What is an index
// goes with all its manifests.
//
//   const Digest digest = TRY(push(target, top, source, {}));
//
// Source: OCI distribution-spec 1.1 (push).
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "runhl/base/unique_fd.h"
#include "runhl/image/documents.h"
#include "runhl/reference/reference.h"
#include "runhl/registry/client.h"

namespace runhl::oci {

/// Opens content of an image for reading. Called by several threads.
using BlobSource = std::function<Result<UniqueFd>(const Descriptor& descriptor)>;

struct PushEvent {
  /// Mounted: the registry took it out of another repository of its own.
  enum class What : std::uint8_t { Present, Mounted, Begun, Done };
  What what = What::Done;
  Descriptor blob;
};

struct PushOptions {
  ClientOptions client;
  // NOLINTBEGIN(readability-redundant-member-init): GCC warns of what a designated list leaves out
  std::string mount_from{};  ///< a repository there that may have blobs already
  std::uint64_t piece_bytes = 64ULL
                              << 20U;  ///< a larger blob goes in pieces, and goes on after a cut
  std::function<void(const PushEvent&)> progress{};  ///< called by one thread at a time
  // NOLINTEND(readability-redundant-member-init)
};

/// Errors: Permission (the registry does not let us), InvalidArgument (the image; a digest in
/// `target` that is not the image's).
Result<Digest> push(const Reference& target, const Descriptor& top, const BlobSource& source,
                    const PushOptions& options);

}  // namespace runhl::oci
