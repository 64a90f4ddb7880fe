// SPDX-License-Identifier: Apache-2.0
// An image of the store with what its documents say.
//
//   const StoredImage image = TRY(load_image(store, TRY(store.find(reference.text()))));
#pragma once

#include <cstdint>
#include <string>

#include "runhl/image/documents.h"
#include "runhl/store/store.h"

namespace runhl::oci {

struct StoredImage {
  NamedImage named;
  Manifest manifest;
  ImageConfig config;

  /// Of everything that it is made of, as it lies in the store.
  [[nodiscard]] std::uint64_t size() const;
  /// What its archive is made of, and nothing else: images with the same layers share one.
  [[nodiscard]] std::string layers_text() const;
};

/// Errors: what the documents lack.
Result<StoredImage> load_image(const Store& store, NamedImage named);

}  // namespace runhl::oci
