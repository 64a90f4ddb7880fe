// SPDX-License-Identifier: Apache-2.0
#include "runhl/json/node.h"
#include "runhl/layouts/docker_archive.h"

namespace runhl::oci {

Result<std::vector<ArchivedImage>> parse_archive_manifest(std::string_view text) {
  const Value document = TRY(parse_json(text));
  std::vector<ArchivedImage> images;
  for (const Node& item : TRY(Node(document).items())) {
    TRY(item.as_object());
    ArchivedImage& image = images.emplace_back();
    image.config = TRY(TRY(item.required("Config")).string());
    image.layers = TRY(item.strings_or_none("Layers"));
    image.names = TRY(item.strings_or_none("RepoTags"));
    if (image.layers.size() > kMaxLayers) {
      return item.refuse("has " + std::to_string(image.layers.size()) + " layers, more than " +
                         std::to_string(kMaxLayers));
    }
  }
  return images;
}

}  // namespace runhl::oci
