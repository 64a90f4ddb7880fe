// SPDX-License-Identifier: Apache-2.0
// The archive of an image in the cache: runhl finds it, runhl-image makes it.
#pragma once

#include <string>

#include "runhl/initrd/cache.h"
#include "runhl/store/stored_image.h"

namespace runhl {

/// The store's directory of `option`, or the default.
Result<oci::Store> open_store(const std::string& option);
Result<initrd::Cache> open_cache(const std::string& option);

/// What the archive is made of: the contents of the layers, by their digests.
initrd::Manifest archive_manifest(const oci::StoredImage& image);

/// An image of the store by what a person calls it.
Result<oci::StoredImage> find_image(const oci::Store& store, const std::string& reference);

}  // namespace runhl
