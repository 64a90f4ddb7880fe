// SPDX-License-Identifier: Apache-2.0
// An OCI image layout, a directory. Source: OCI image-spec 1.1, image-layout.md.
#pragma once

#include <string>

#include "runhl/image/platform.h"
#include "runhl/store/stored_image.h"

namespace runhl::oci {

struct LayoutSource {
  std::string directory;
  std::string ref;   // annotation org.opencontainers.image.ref.name; empty: the only image
  std::string name;  // what it is called in the store; empty: what the layout calls it
  Platform platform = own_platform();
};

/// Everything is checked as it comes. The name that the image has then. Errors: NotFound,
/// InvalidArgument.
Result<std::string> load_layout(const Store& store, const LayoutSource& source);

/// What a source means: a manifest, or an index of one image for several platforms.
struct LayoutImage {
  Descriptor top;
  std::string name;  // as load_layout would call it
};
Result<LayoutImage> find_in_layout(const LayoutSource& source);
/// Its content, of the size that the descriptor says; the digest is not looked at.
Result<UniqueFd> open_layout_blob(const std::string& directory, const Descriptor& descriptor);

/// Makes the directory. Errors: AlreadyExists.
Result<void> save_layout(const Store& store, const StoredImage& image,
                         const std::string& directory);

}  // namespace runhl::oci
