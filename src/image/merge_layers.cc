// SPDX-License-Identifier: Apache-2.0
#include "image/merge_layers.h"

#include <vector>

#include "runhl/blobs/parallel.h"

namespace runhl::image {
namespace {

std::string label(const oci::StoredImage& image, std::size_t index) {
  return "layer " + std::to_string(index + 1) + " (" + image.manifest.layers[index].digest.text() +
         ")";
}

/// The first layer whose blob it is.
std::size_t index_of(const oci::StoredImage& image, const oci::Digest& blob) {
  std::size_t index = 0;
  while (image.manifest.layers[index].digest != blob) {
    ++index;
  }
  return index;
}

}  // namespace

Result<ImageMerge> ImageMerge::create(oci::StoredImage image, const std::string& spool_directory) {
  for (std::size_t i = 0; i < image.manifest.layers.size(); ++i) {
    const std::size_t first = index_of(image, image.manifest.layers[i].digest);
    if (image.config.diff_ids[i] != image.config.diff_ids[first]) {
      return fail(ErrorCode::InvalidArgument, label(image, i) + ": is layer " +
                                                  std::to_string(first + 1) +
                                                  " again, but has another diff_id");
    }
  }
  oci::ImageTree tree = TRY(oci::ImageTree::create(spool_directory));
  return ImageMerge(std::move(image), std::move(tree));
}

Result<void> ImageMerge::unpack(const oci::Descriptor& layer, oci::ByteSource& blob) {
  const std::size_t index = index_of(image_, layer.digest);
  oci::UnpackedLayer unpacked = TRY(with_context(
      label(image_, index), tree_.unpack(blob, layer.size, image_.config.diff_ids[index])));
  const std::lock_guard guard(*mutex_);
  unpacked_.insert_or_assign(layer.digest, std::move(unpacked));
  return {};
}

Result<oci::ImageTree> ImageMerge::finish() && {
  for (std::size_t i = 0; i < image_.manifest.layers.size(); ++i) {
    TRY(with_context(label(image_, i),
                     tree_.add_layer(unpacked_.at(image_.manifest.layers[i].digest))));
  }
  return std::move(tree_);
}

Result<oci::ImageTree> merge_layers(const oci::Store& store, const oci::StoredImage& image,
                                    const std::string& spool_directory, StepTimes* times) {
  ImageMerge merge = TRY(ImageMerge::create(image, spool_directory));
  const std::vector<oci::Descriptor> layers = oci::distinct_layers(image.manifest);
  TRY(oci::in_parallel(layers.size(), [&](std::size_t /*worker*/, std::size_t i) -> Result<void> {
    const UniqueFd fd = TRY(store.blob(layers[i]));
    oci::FileBytes bytes(fd.get());
    return merge.unpack(layers[i], bytes);
  }));
  times->done("layers unpacked");
  oci::ImageTree tree = TRY(std::move(merge).finish());
  times->done("layers merged");
  return tree;
}

}  // namespace runhl::image
