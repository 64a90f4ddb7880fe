// SPDX-License-Identifier: Apache-2.0
#include "runhl/store/artifacts.h"

#include <algorithm>

#include "runhl/reference/reference.h"

namespace runhl::oci {
namespace {

// Of a name in index.json.
constexpr const char* kSourceAnnotation = "dev.runhl.source";
constexpr const char* kDetailAnnotation = "dev.runhl.detail";

std::string annotation_of(const Descriptor& descriptor, const char* key) {
  const auto found = descriptor.annotations.find(key);
  return found == descriptor.annotations.end() ? std::string() : found->second;
}

Result<StoredArtifact> load_artifact(const Store& artifacts, NamedImage named) {
  Document document = TRY(with_context(
      named.name,
      parse_document(TRY(with_context(named.name, artifacts.document(named.descriptor))))));
  Manifest* const manifest = std::get_if<Manifest>(&document);
  if (manifest == nullptr || manifest->layers.size() != 1) {
    return fail(ErrorCode::InvalidArgument, named.name + ": its manifest does not name one file");
  }
  StoredArtifact artifact{.named = std::move(named),
                          .file = std::move(manifest->layers.front()),
                          .source = {},
                          .detail = {}};
  artifact.source = annotation_of(artifact.named.descriptor, kSourceAnnotation);
  artifact.detail = annotation_of(artifact.named.descriptor, kDetailAnnotation);
  return artifact;
}

/// What makes an artifact the one that is meant: its name, or else its content.
struct Wanted {
  std::string name, content;

  static Result<Wanted> parse(std::string_view text) {
    if (text == kDefaultArtifact) {
      return Wanted{std::string(text), {}};
    }
    if (text.starts_with("sha256:")) {
      return Wanted{{}, TRY(Digest::parse(text)).text()};
    }
    const Reference reference = TRY(Reference::parse(text));
    return Wanted{reference.text(), reference.digest ? reference.digest->text() : ""};
  }
  [[nodiscard]] bool is_content_of(const StoredArtifact& artifact) const {
    return !content.empty() &&
           (artifact.source == content || (name.empty() && artifact.file.digest.text() == content));
  }
};

}  // namespace

std::string_view to_string(ArtifactKind kind) {
  return kind == ArtifactKind::Kernel ? "kernel" : "rootfs";
}

std::string_view config_type(ArtifactKind kind) {
  return kind == ArtifactKind::Kernel ? "application/vnd.runhl.kernel.config.v1+json"
                                      : "application/vnd.runhl.rootfs.config.v1+json";
}

std::string_view file_type(ArtifactKind kind) {
  return kind == ArtifactKind::Kernel ? "application/vnd.runhl.kernel.v1.elf"
                                      : "application/vnd.runhl.rootfs.v1.cpio";
}

Result<Store> open_artifacts(const std::string& directory, ArtifactKind kind) {
  return Store::open(directory + (kind == ArtifactKind::Kernel ? "/kernels" : "/rootfs"));
}

Result<std::vector<StoredArtifact>> list_artifacts(const Store& artifacts) {
  std::vector<StoredArtifact> all;
  for (NamedImage& named : TRY(artifacts.images())) {
    all.push_back(TRY(load_artifact(artifacts, std::move(named))));
  }
  return all;
}

Result<StoredArtifact> find_artifact(const Store& artifacts, std::string_view text) {
  const Wanted wanted = TRY(Wanted::parse(text));
  std::vector<StoredArtifact> all = TRY(list_artifacts(artifacts));
  auto found = std::find_if(all.begin(), all.end(), [&](const StoredArtifact& artifact) {
    return artifact.named.name == wanted.name;
  });
  if (found == all.end()) {
    found = std::find_if(all.begin(), all.end(), [&](const StoredArtifact& artifact) {
      return wanted.is_content_of(artifact);
    });
  }
  if (found == all.end()) {
    return fail(ErrorCode::NotFound,
                (wanted.name.empty() ? wanted.content : wanted.name) + " is not in the store");
  }
  return std::move(*found);
}

Result<void> name_artifact(const Store& artifacts, const std::string& name, Descriptor manifest,
                           const ArtifactOrigin& origin) {
  manifest.annotations[kSourceAnnotation] = origin.source;
  if (!origin.detail.empty()) {
    manifest.annotations[kDetailAnnotation] = origin.detail;
  }
  return artifacts.set_name(name, std::move(manifest));
}

std::string artifact_manifest(const Descriptor& config, const Descriptor& file) {
  return to_json(Manifest{.config = config, .layers = {file}});
}

}  // namespace runhl::oci
