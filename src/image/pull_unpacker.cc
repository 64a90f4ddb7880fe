// SPDX-License-Identifier: Apache-2.0
#include "image/pull_unpacker.h"

#include "image/verbs.h"
#include "image_archive.h"

namespace runhl::image {

Result<bool> PullUnpacker::begin(const oci::StoredImage& image) {
  times_->done("manifest and configuration");
  manifest_ = archive_manifest(image);
  if (TRY(cache_.find(manifest_))) {
    return false;
  }
  merge_.emplace(
      TRY(with_context(image.named.name, ImageMerge::create(image, cache_.directory()))));
  return true;
}

Result<void> PullUnpacker::unpack(const oci::Descriptor& layer, oci::ByteSource& blob) {
  return merge_->unpack(layer, blob);
}

Result<void> PullUnpacker::finish() {
  times_->done("layers, downloaded and unpacked");
  const UniqueFd made = TRY(cache_.add(manifest_, [&](int out) -> Result<void> {
    oci::ImageTree tree = TRY(std::move(*merge_).finish());
    times_->done("layers merged");
    TRY(write_archive(tree.tree(), tree, out));
    return {};
  }));
  TRY(cache_.prune(kCacheLimit, made.get()));
  times_->done("archive written");
  return {};
}

}  // namespace runhl::image
