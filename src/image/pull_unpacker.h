// SPDX-License-Identifier: Apache-2.0
// Makes the archive that an image starts from while the image comes.
//
//   PullUnpacker unpacker(cache, &times);
//   TRY(oci::pull(store, reference, {.unpacker = &unpacker}));
#pragma once

#include <optional>

#include "image/merge_layers.h"
#include "runhl/initrd/cache.h"
#include "runhl/registry/pull.h"
#include "step_times.h"

namespace runhl::image {

class PullUnpacker final : public oci::LayerUnpacker {
 public:
  PullUnpacker(initrd::Cache cache, StepTimes* times) : cache_(std::move(cache)), times_(times) {}

  Result<bool> begin(const oci::StoredImage& image) override;
  Result<void> unpack(const oci::Descriptor& layer, oci::ByteSource& blob) override;
  Result<void> finish() override;

 private:
  initrd::Cache cache_;
  StepTimes* times_;
  initrd::Manifest manifest_;
  std::optional<ImageMerge> merge_;
};

}  // namespace runhl::image
