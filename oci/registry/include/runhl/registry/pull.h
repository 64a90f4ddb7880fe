// SPDX-License-Identifier: Apache-2.0
// An image out of a registry into the store. What is there already is not fetched; what was cut off
// goes on; the name appears when everything is there and checked.
//
//   const NamedImage image = TRY(pull(store, reference, {.progress = print_line}));
#pragma once

#include <functional>

#include "runhl/image/platform.h"
#include "runhl/registry/client.h"
#include "runhl/store/stored_image.h"

namespace runhl::oci {

struct PullEvent {
  enum class What : std::uint8_t { Present, Begun, Done };
  What what = What::Done;
  Descriptor blob;  // a layer
};

struct PullOptions {
  Platform platform = own_platform();
  ClientOptions client;
  /// Called by one thread at a time.
  std::function<void(const PullEvent&)> progress;
};

Result<NamedImage> pull(const Store& store, const Reference& reference, const PullOptions& options);

}  // namespace runhl::oci
