// SPDX-License-Identifier: Apache-2.0
#include "boot/snapshot/documents.h"

#include <algorithm>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <utility>

#include "runhl/base/number.h"
#include "runhl/image/media_types.h"
#include "runhl/json/node.h"

namespace runhl::boot {
namespace {

using Json = nlohmann::ordered_json;
using oci::Node;

constexpr std::string_view kRefName = "org.opencontainers.image.ref.name";
constexpr std::string_view kArch = "dev.hyperlight.snapshot.arch";
constexpr std::string_view kHypervisor = "dev.hyperlight.snapshot.hypervisor";
constexpr std::string_view kVendor = "dev.hyperlight.snapshot.cpu.vendor";
// Ours, of the manifest, which a digest covers.
constexpr std::string_view kTag = "dev.runhl.snapshot.tag";
constexpr std::string_view kKernel = "dev.runhl.snapshot.kernel";
constexpr std::string_view kCpu = "dev.runhl.snapshot.cpu";
constexpr std::string_view kTscHz = "dev.runhl.snapshot.tsc-hz";

Json descriptor(const BlobName& blob) {
  return {{"mediaType", blob.media_type}, {"digest", blob.digest.text()}, {"size", blob.size}};
}

Result<BlobName> blob_of(const Node& node) {
  TRY(node.as_object());
  const Node name = TRY(node.required("digest"));
  const Result<oci::Digest> digest = oci::Digest::parse(TRY(name.text()));
  if (!digest) {
    return name.refuse(digest.error().message);
  }
  return BlobName{TRY(TRY(node.required("mediaType")).string()), *digest,
                  TRY(TRY(node.required("size")).natural())};
}

Result<void> expect(const Node& object, std::string_view name, std::string_view text) {
  const Node node = TRY(object.required(name));
  return TRY(node.text()) == text ? Result<void>() : node.refuse("is not " + std::string(text));
}

Result<void> expect_version_2(const Node& root) {
  const Node version = TRY(root.required("schemaVersion"));
  return TRY(version.natural()) == 2 ? Result<void>() : version.refuse("is not 2");
}

Result<void> check_names(const Node& object, std::initializer_list<std::string_view> known) {
  for (const Node& member : TRY(object.members())) {
    if (std::find(known.begin(), known.end(), member.value().key) == known.end()) {
      return member.refuse("no part of a snapshot's index");
    }
  }
  return {};
}

Result<std::uint64_t> number_in(const Node& annotations, std::string_view name) {
  const std::string text = TRY(annotations.string_or(name, "0"));
  const auto value = whole_number<std::uint64_t>(text);
  return value ? Result<std::uint64_t>(*value)
               : annotations.refuse(std::string(name) + " is no number");
}

bool is_config(std::string_view media_type) {
  return media_type == config_media_type(true) || media_type == config_media_type(false);
}

/// Members that are there need not be: but what they say is one thing.
Result<void> expect_if_there(const Node& object, std::string_view name, std::string_view text) {
  return object.value().member(name) == nullptr ? Result<void>() : expect(object, name, text);
}

}  // namespace

std::string tag_of(const SnapshotOrigin& origin) {
  return "runhl-" + origin.key;
}

std::string format_manifest(const SnapshotManifest& manifest) {
  Json layers = Json::array({descriptor(manifest.memory)});
  for (const BlobName& blob : manifest.transport) {
    layers.push_back(descriptor(blob));
  }
  const Json json = {{"schemaVersion", 2},
                     {"mediaType", oci::kOciManifest},
                     {"artifactType", manifest.config.media_type},
                     {"config", descriptor(manifest.config)},
                     {"layers", std::move(layers)},
                     {"annotations",
                      {{kTag, tag_of(manifest.origin)},
                       {kKernel, manifest.origin.kernel},
                       {kCpu, manifest.origin.cpu},
                       {kTscHz, std::to_string(manifest.origin.tsc_hz)}}}};
  return json.dump();
}

Result<SnapshotManifest> parse_manifest(std::string_view text) {
  const oci::Value document = TRY(oci::parse_json(text));
  const Node root(document);
  TRY(root.as_object());
  TRY(expect_version_2(root));
  const Node config = TRY(root.required("config"));
  const std::vector<Node> layers = TRY(root.array("layers"));
  if (layers.empty() || layers.size() > 2) {
    return root.refuse("is no snapshot: it has not one layer or two");
  }
  SnapshotManifest manifest{.config = TRY(blob_of(config)),
                            .memory = TRY(blob_of(layers[0])),
                            .transport = {},
                            .tag = {},
                            .origin = {}};
  if (!is_config(manifest.config.media_type)) {
    return config.unsupported("a snapshot of another format");
  }
  TRY(expect(layers[0], "mediaType", kMemoryType));
  if (layers.size() == 2) {
    TRY(expect(layers[1], "mediaType", kTransportType));
    manifest.transport.push_back(TRY(blob_of(layers[1])));
  }
  if (const std::optional<Node> annotations = TRY(root.object("annotations"))) {
    manifest.tag = TRY(annotations->string_or(kTag));
    manifest.origin.kernel = TRY(annotations->string_or(kKernel));
    manifest.origin.cpu = TRY(annotations->string_or(kCpu));
    manifest.origin.tsc_hz = TRY(number_in(*annotations, kTscHz));
  }
  return manifest;
}

Result<void> check_layout(std::string_view text) {
  const oci::Value document = TRY(oci::parse_json(text));
  const Node root(document);
  TRY(root.as_object());
  TRY(check_names(root, {"imageLayoutVersion"}));
  return expect(root, "imageLayoutVersion", "1.0.0");
}

std::string format_index(const SnapshotIndex& index) {
  Json manifest = descriptor(index.manifest);
  manifest["annotations"] = {{kRefName, index.tag},
                             {kArch, index.arch},
                             {kHypervisor, index.host.hypervisor},
                             {kVendor, index.host.cpu_vendor}};
  const Json json = {{"schemaVersion", 2},
                     {"mediaType", oci::kOciIndex},
                     {"manifests", Json::array({std::move(manifest)})}};
  return json.dump();
}

Result<SnapshotIndex> parse_index(std::string_view text) {
  const oci::Value document = TRY(oci::parse_json(text));
  const Node root(document);
  TRY(root.as_object());
  TRY(check_names(root, {"schemaVersion", "mediaType", "manifests"}));
  TRY(expect_version_2(root));
  TRY(expect_if_there(root, "mediaType", oci::kOciIndex));
  const std::vector<Node> manifests = TRY(root.array("manifests"));
  if (manifests.size() != 1) {
    return root.refuse("has not one snapshot in it");
  }
  const Node& it = manifests.front();
  TRY(it.as_object());
  TRY(check_names(it, {"mediaType", "digest", "size", "artifactType", "annotations"}));
  TRY(expect(it, "mediaType", oci::kOciManifest));
  if (const std::optional<Node> type = it.member("artifactType")) {
    if (!is_config(TRY(type->text()))) {
      return type->unsupported("a snapshot of another format");
    }
  }
  const Node annotations = TRY(it.required("annotations"));
  TRY(annotations.as_object());
  TRY(check_names(annotations, {kRefName, kArch, kHypervisor, kVendor}));
  return SnapshotIndex{.manifest = TRY(blob_of(it)),
                       .tag = TRY(TRY(annotations.required(kRefName)).string()),
                       .arch = TRY(TRY(annotations.required(kArch)).string()),
                       .host = {TRY(TRY(annotations.required(kHypervisor)).string()),
                                TRY(TRY(annotations.required(kVendor)).string())}};
}

}  // namespace runhl::boot
