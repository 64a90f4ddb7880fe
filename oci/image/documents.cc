// SPDX-License-Identifier: Apache-2.0
#include "runhl/image/documents.h"

#include <set>

#include "runhl/image/media_types.h"
#include "runhl/json/node.h"

namespace runhl::oci {
namespace {

Result<Value> parse(std::string_view text) {
  if (text.size() > kMaxDocumentBytes) {
    return fail(ErrorCode::InvalidArgument, "is larger than 4 MiB");
  }
  return parse_json(text);
}

Result<Digest> digest_of(const Node& node) {
  Result<Digest> digest = Digest::parse(TRY(node.text()));
  if (!digest) {
    return digest.error().code == ErrorCode::Unsupported ? node.unsupported(digest.error().message)
                                                         : node.refuse(digest.error().message);
  }
  return digest;
}

Result<std::optional<Platform>> platform_of(const Node& node) {
  const std::optional<Node> platform = TRY(node.object("platform"));
  if (!platform) {
    return std::optional<Platform>();
  }
  Platform out;
  out.os = TRY(platform->string_or("os"));
  out.architecture = TRY(platform->string_or("architecture"));
  out.variant = TRY(platform->string_or("variant"));
  return std::optional(std::move(out));
}

Result<Descriptor> descriptor_of(const Node& node) {
  TRY(node.as_object());
  constexpr std::uint64_t kMaxSize = INT64_MAX;  // the specification's
  std::string media_type = TRY(node.string_or("mediaType"));
  Digest digest = TRY(digest_of(TRY(node.required("digest"))));
  Descriptor out{.media_type = std::move(media_type), .digest = std::move(digest)};
  out.size = TRY(TRY(node.required("size")).natural(kMaxSize));
  out.platform = TRY(platform_of(node));
  if (const std::optional<Node> annotations = TRY(node.object("annotations"))) {
    for (const Node& member : TRY(annotations->members())) {
      out.annotations.emplace(member.value().key, TRY(member.string()));
    }
  }
  return out;
}

Result<std::vector<Descriptor>> descriptors_of(const Node& array, std::size_t most) {
  std::vector<Descriptor> out;
  const std::vector<Node> items = TRY(array.items());
  if (items.size() > most) {
    return array.refuse("has " + std::to_string(items.size()) + " items, more than " +
                        std::to_string(most));
  }
  for (const Node& item : items) {
    out.push_back(TRY(descriptor_of(item)));
  }
  return out;
}

Result<void> check_schema(const Node& root) {
  const auto version = TRY(TRY(root.required("schemaVersion")).natural());
  if (version == 1) {
    return root.member("schemaVersion")
        ->unsupported("docker's old schema 1; push the image again with a docker of today");
  }
  return version == 2 ? Result<void>{} : root.member("schemaVersion")->refuse("is not 2");
}

Result<Manifest> manifest_of(const Node& root) {
  const Node config = TRY(root.required("config"));
  const Node layers = TRY(root.required("layers"));
  Descriptor config_descriptor = TRY(descriptor_of(config));
  std::vector<Descriptor> layer_descriptors = TRY(descriptors_of(layers, kMaxLayers));
  return Manifest{.config = std::move(config_descriptor), .layers = std::move(layer_descriptors)};
}

Result<std::vector<std::string>> keys_of(const Node& node, std::string_view key) {
  std::vector<std::string> out;
  if (const std::optional<Node> object = TRY(node.object(key))) {
    for (const Node& member : TRY(object->members())) {
      out.push_back(member.value().key);
    }
  }
  return out;
}

Result<void> fill_process(const Node& config, ImageConfig* out) {
  out->user = TRY(config.string_or("User"));
  out->working_dir = TRY(config.string_or("WorkingDir"));
  out->stop_signal = TRY(config.string_or("StopSignal"));
  out->env = TRY(config.strings_or_none("Env"));
  out->entrypoint = TRY(config.strings_or_none("Entrypoint"));
  out->cmd = TRY(config.strings_or_none("Cmd"));
  out->volumes = TRY(keys_of(config, "Volumes"));
  return {};
}

}  // namespace

Result<Document> parse_document(std::string_view text) {
  const Value document = TRY(parse(text));
  const Node root(document);
  TRY(root.as_object());
  TRY(check_schema(root));
  const std::string type = TRY(root.string_or("mediaType"));
  if (!type.empty() && !is_index(type) && !is_manifest(type)) {
    return root.member("mediaType")->refuse("is neither an image's manifest nor an index");
  }
  const std::optional<Node> manifests = root.member("manifests");
  // One text must not be a manifest to one reader and an index to another.
  if (manifests && (root.member("layers") || root.member("config") || is_manifest(type))) {
    return manifests->refuse("must not be in a manifest");
  }
  if (!manifests && is_index(type)) {
    return root.refuse("is an index without manifests");
  }
  if (manifests) {
    return Document(Index{TRY(descriptors_of(*manifests, kMaxManifests))});
  }
  return Document(TRY(manifest_of(root)));
}

Result<std::string> media_type_of(std::string_view document) {
  const Document parsed = TRY(parse_document(document));
  const Value value = TRY(parse(document));
  const bool is_index = std::holds_alternative<Index>(parsed);
  return Node(value).string_or("mediaType", is_index ? kOciIndex : kOciManifest);
}

Result<ImageConfig> parse_image_config(std::string_view text) {
  const Value document = TRY(parse(text));
  const Node root(document);
  TRY(root.as_object());
  ImageConfig out;
  out.platform.os = TRY(root.string_or("os", "linux"));
  out.platform.architecture = TRY(root.string_or("architecture"));
  out.platform.variant = TRY(root.string_or("variant"));
  out.created = TRY(root.string_or("created"));
  const std::optional<Node> rootfs = TRY(root.object("rootfs"));
  if (!rootfs) {
    return root.refuse("has no /rootfs: it describes no image that can run");
  }
  for (const Node& id : TRY(rootfs->array("diff_ids"))) {
    out.diff_ids.push_back(TRY(digest_of(id)));
  }
  if (const std::optional<Node> config = TRY(root.object("config"))) {
    TRY(fill_process(*config, &out));
  }
  return out;
}

std::vector<Descriptor> distinct_layers(const Manifest& manifest) {
  std::vector<Descriptor> layers;
  std::set<Digest> seen;
  for (const Descriptor& layer : manifest.layers) {
    if (seen.insert(layer.digest).second) {
      layers.push_back(layer);
    }
  }
  return layers;
}

Result<void> check_layers(const Manifest& manifest, const ImageConfig& config) {
  if (manifest.layers.size() != config.diff_ids.size()) {
    return fail(ErrorCode::InvalidArgument,
                "the manifest has " + std::to_string(manifest.layers.size()) +
                    " layers, the configuration " + std::to_string(config.diff_ids.size()));
  }
  if (manifest.layers.empty()) {
    return fail(ErrorCode::InvalidArgument, "the image has no layers");
  }
  for (std::size_t i = 0; i < manifest.layers.size(); ++i) {
    TRY(with_context("layer " + std::to_string(i + 1),
                     check_layer_type(manifest.layers[i].media_type)));
  }
  return {};
}

}  // namespace runhl::oci
