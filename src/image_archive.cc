// SPDX-License-Identifier: Apache-2.0
#include "image_archive.h"

#include "runhl/reference/reference.h"

namespace runhl {

Result<oci::Store> open_store(const std::string& option) {
  return oci::Store::open(option.empty() ? TRY(oci::Store::default_directory()) : option);
}

Result<initrd::Cache> open_cache(const std::string& option) {
  return initrd::Cache::open(option.empty() ? TRY(initrd::Cache::default_directory()) : option);
}

initrd::Manifest archive_manifest(const oci::StoredImage& image) {
  initrd::Manifest manifest;
  manifest.bytes = "runhl image layers 1\n" + image.layers_text();
  return manifest;
}

Result<oci::StoredImage> find_image(const oci::Store& store, const std::string& reference) {
  const std::string name = TRY(oci::Reference::parse(reference)).text();
  return oci::load_image(store, TRY(store.find(name)));
}

}  // namespace runhl
