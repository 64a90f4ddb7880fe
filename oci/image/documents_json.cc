// SPDX-License-Identifier: Apache-2.0
#include <nlohmann/json.hpp>

#include "runhl/image/documents.h"
#include "runhl/image/media_types.h"

namespace runhl::oci {
namespace {

using Json = nlohmann::ordered_json;

Json to_value(const Descriptor& descriptor) {
  Json out = {{"mediaType", descriptor.media_type},
              {"digest", descriptor.digest.text()},
              {"size", descriptor.size}};
  if (descriptor.platform) {
    out["platform"] = {{"architecture", descriptor.platform->architecture},
                       {"os", descriptor.platform->os}};
    if (!descriptor.platform->variant.empty()) {
      out["platform"]["variant"] = descriptor.platform->variant;
    }
  }
  if (!descriptor.annotations.empty()) {
    out["annotations"] = descriptor.annotations;
  }
  return out;
}

Json to_values(const std::vector<Descriptor>& descriptors) {
  Json out = Json::array();
  for (const Descriptor& descriptor : descriptors) {
    out.push_back(to_value(descriptor));
  }
  return out;
}

}  // namespace

std::string to_json(const Manifest& manifest) {
  return Json({{"schemaVersion", 2},
               {"mediaType", kOciManifest},
               {"config", to_value(manifest.config)},
               {"layers", to_values(manifest.layers)}})
      .dump();
}

std::string to_json(const Index& index) {
  return Json({{"schemaVersion", 2},
               {"mediaType", kOciIndex},
               {"manifests", to_values(index.manifests)}})
      .dump();
}

}  // namespace runhl::oci
