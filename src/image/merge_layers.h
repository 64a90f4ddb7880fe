// SPDX-License-Identifier: Apache-2.0
// An image's layers, unpacked by several threads, then merged.
//
//   ImageMerge merge = TRY(ImageMerge::create(image, spool_directory));
//   TRY(merge.unpack(layer, bytes));                  // each blob; any order, any thread
//   oci::ImageTree tree = TRY(std::move(merge).finish());
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "runhl/layers/image_tree.h"
#include "runhl/store/stored_image.h"
#include "step_times.h"

namespace runhl::image {

class ImageMerge {
 public:
  /// `spool_directory` has room for the files. Errors: InvalidArgument (one blob, but two
  /// diff_ids).
  static Result<ImageMerge> create(oci::StoredImage image, const std::string& spool_directory);

  /// Errors: InvalidArgument, naming the layer; Io (disk full).
  Result<void> unpack(const oci::Descriptor& layer, oci::ByteSource& blob);
  Result<oci::ImageTree> finish() &&;

 private:
  ImageMerge(oci::StoredImage image, oci::ImageTree tree)
      : image_(std::move(image)), tree_(std::move(tree)) {}

  oci::StoredImage image_;
  oci::ImageTree tree_;
  std::unique_ptr<std::mutex> mutex_ = std::make_unique<std::mutex>();  // of unpacked_
  std::map<oci::Digest, oci::UnpackedLayer> unpacked_;                  // by the blob's
};

/// The layers of an image of the store.
Result<oci::ImageTree> merge_layers(const oci::Store& store, const oci::StoredImage& image,
                                    const std::string& spool_directory, StepTimes* times);

}  // namespace runhl::image
