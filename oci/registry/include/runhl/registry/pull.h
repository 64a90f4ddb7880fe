// SPDX-License-Identifier: Apache-2.0
// An image out of a registry into the store. What is there already is not fetched; what was cut off
// goes on; the name appears when everything is there and checked.
//
//   const NamedImage image = TRY(pull(store, reference, {.progress = print_line}));
//
// Layers are unpacked while they come, where somebody wants that: what is read then is good only
// if the blob turns out to be, so nothing may be made of it before finish().
#pragma once

#include <functional>

#include "runhl/base/unique_fd.h"
#include "runhl/blobs/byte_source.h"
#include "runhl/image/platform.h"
#include "runhl/registry/client.h"
#include "runhl/store/stored_image.h"

namespace runhl::oci {

struct PullEvent {
  /// Begun: `bytes` of it are there from an earlier pull. Progress: `bytes` by now, some times a
  /// second.
  enum class What : std::uint8_t { Present, Begun, Progress, Done };
  What what = What::Done;
  Descriptor blob;  // a layer
  std::uint64_t bytes = 0;
};

class LayerUnpacker {
 public:
  LayerUnpacker() = default;
  LayerUnpacker(const LayerUnpacker&) = delete;
  LayerUnpacker& operator=(const LayerUnpacker&) = delete;
  LayerUnpacker(LayerUnpacker&&) = delete;
  LayerUnpacker& operator=(LayerUnpacker&&) = delete;
  virtual ~LayerUnpacker() = default;

  /// All but the layers is there. False: no layer need be unpacked.
  virtual Result<bool> begin(const StoredImage& image) = 0;
  /// Once for each layer's blob, or again where its download began anew. Several threads at once.
  virtual Result<void> unpack(const Descriptor& layer, ByteSource& blob) = 0;
  /// All layers are good, and the image has no name yet.
  virtual Result<void> finish() = 0;
};

struct PullOptions {
  Platform platform = own_platform();
  ClientOptions client;
  /// Called by one thread at a time.
  std::function<void(const PullEvent&)> progress;
  LayerUnpacker* unpacker = nullptr;
};

Result<NamedImage> pull(const Store& store, const Reference& reference, const PullOptions& options);

/// The same by parts, for what is no image to run. While it lives, nothing of the store's content
/// is removed.
///
///   const Download download = TRY(Download::begin(store, reference, options));
///   … judge download.found().manifest …
///   TRY(download.config());
///   TRY(download.layers());
class Download {
 public:
  /// Asks for the manifest. `store` and `options` outlive it.
  static Result<Download> begin(const Store& store, const Reference& reference,
                                const PullOptions& options);

  /// What lies behind the reference, for the platform that was asked for.
  [[nodiscard]] const Resolved& found() const { return found_; }
  Result<void> config();
  /// Those that are not in the store; all of them to `unpacker`, if there is one.
  Result<void> layers(LayerUnpacker* unpacker = nullptr);

 private:
  Download(const Store& store, const PullOptions& options, Client client, UniqueFd use,
           Resolved found);

  const Store* store_;
  const PullOptions* options_;
  Client client_;
  UniqueFd use_;
  Resolved found_;
};

}  // namespace runhl::oci
