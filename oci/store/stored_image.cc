// SPDX-License-Identifier: Apache-2.0
#include "runhl/store/stored_image.h"

namespace runhl::oci {

std::uint64_t StoredImage::size() const {
  std::uint64_t bytes = named.descriptor.size + manifest.config.size;
  for (const Descriptor& layer : manifest.layers) {
    bytes += layer.size;
  }
  return bytes;
}

std::string StoredImage::layers_text() const {
  std::string text;
  for (const Digest& layer : config.diff_ids) {
    text += layer.text() + "\n";
  }
  return text;
}

Result<StoredImage> load_image(const Store& store, NamedImage named) {
  const std::string name = named.name;
  const auto load = [&]() -> Result<StoredImage> {
    Document document = TRY(parse_document(TRY(store.document(named.descriptor))));
    Manifest* const manifest = std::get_if<Manifest>(&document);
    if (manifest == nullptr) {
      return fail(ErrorCode::InvalidArgument, "its manifest is an index");
    }
    StoredImage image{.named = std::move(named), .manifest = std::move(*manifest), .config = {}};
    image.config = TRY(with_context(
        "configuration", parse_image_config(TRY(store.document(image.manifest.config)))));
    TRY(check_layers(image.manifest, image.config));
    return image;
  };
  return with_context(name, load());
}

}  // namespace runhl::oci
