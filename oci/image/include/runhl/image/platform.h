// SPDX-License-Identifier: Apache-2.0
// Which image of an index is ours, and the way down to it.
//
//   const Resolved image = TRY(resolve(top, Platform{"linux", "amd64", ""}, fetch));
#pragma once

#include <functional>
#include <string>

#include "runhl/image/documents.h"

namespace runhl::oci {

/// What this program runs.
Platform own_platform();

/// "linux/arm64/v8".
std::string to_string(const Platform& platform);
/// Errors: InvalidArgument.
Result<Platform> parse_platform(std::string_view text);

/// The manifest or index of `index` for `wanted`. Errors: NotFound, naming what there is.
Result<Descriptor> choose(const Index& index, const Platform& wanted);

struct Resolved {
  Descriptor descriptor;  // of the manifest
  std::string text;       // the manifest as it came
  Manifest manifest;
};

/// Gives the bytes of a document, checked against the descriptor.
using DocumentSource = std::function<Result<std::string>(const Descriptor& descriptor)>;

/// From a manifest or index down to one manifest. An index may lie in an index, not without end.
Result<Resolved> resolve(Descriptor top, const Platform& wanted, const DocumentSource& source);

}  // namespace runhl::oci
