// SPDX-License-Identifier: Apache-2.0
#include "image/artifacts.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <vector>

#include "image/decimal_size.h"
#include "image/merge_layers.h"
#include "image/text_table.h"
#include "image/verbs.h"
#include "output.h"
#include "runhl/base/file_io.h"
#include "runhl/blobs/blob_writer.h"
#include "runhl/image/media_types.h"
#include "runhl/layers/unpack.h"
#include "runhl/vmm/hyperlight/kernel_file.h"
#include "runhl/vmm/hyperlight/rootfs_archive.h"

namespace runhl::image {
namespace {

using oci::ArtifactKind;
using oci::Descriptor;

constexpr std::string_view kNewcMagic = "07070";  // the last digit: with or without sums
constexpr std::size_t kPiece = std::size_t{1} << 20U;

tl::unexpected<Error> bad(std::string why) {
  return fail(ErrorCode::InvalidArgument, std::move(why));
}

std::vector<std::string_view> names_of(ArtifactKind kind) {
  return kind == ArtifactKind::Kernel ? std::vector<std::string_view>{"kernel"}
                                      : std::vector<std::string_view>{"initrd.cpio", "rootfs.cpio"};
}

std::string missing_file(ArtifactKind kind) {
  return kind == ArtifactKind::Kernel
             ? "the image has no file /kernel: it is no kernel"
             : "the image has neither /initrd.cpio nor /rootfs.cpio: `runhl pull` without --rootfs "
               "takes images";
}

/// A file of the image becomes content by itself.
Result<Descriptor> add_file(const oci::Store& artifacts, ArtifactKind kind, oci::ImageTree* image,
                            initrd::InodeNumber inode) {
  const std::uint64_t size = image->tree().inode(inode).size;
  const initrd::FileSource::Opened from = TRY(image->open(inode));
  oci::BlobWriter writer = TRY(oci::BlobWriter::create(artifacts));
  std::vector<std::byte> buffer(std::min<std::uint64_t>(size, kPiece));
  for (std::uint64_t done = 0; done < size;) {
    const auto piece = std::span(buffer).first(std::min<std::uint64_t>(size - done, kPiece));
    TRY(read_all_at(from.fd.get(), piece, from.offset + done, "the image's file"));
    TRY(writer.write(piece));
    done += piece.size();
  }
  return writer.finish(file_type(kind));
}

Result<Descriptor> take_from_image(const oci::Store& artifacts, ArtifactKind kind,
                                   oci::Download* download) {
  Descriptor manifest = TRY(add_document(artifacts, download->found().text, oci::kOciManifest));
  TRY(download->config());
  const oci::StoredImage image =
      TRY(load_image(artifacts, {.name = "image", .descriptor = std::move(manifest)}));
  TRY(download->layers());
  StepTimes untold(StepTimes::Print::No);
  oci::ImageTree tree = TRY(merge_layers(artifacts, image, artifacts.directory(), &untold));
  for (const std::string_view name : names_of(kind)) {
    const initrd::InodeNumber inode = tree.tree().find(name);
    if (inode == 0) {
      continue;
    }
    const initrd::InodeSpec& spec = tree.tree().inode(inode);
    const std::string shown = "the image's /" + std::string(name);
    if (!S_ISREG(spec.mode) || spec.size == 0) {
      return bad(shown + (S_ISREG(spec.mode) ? " is empty" : " is no regular file"));
    }
    if (kind == ArtifactKind::Kernel && spec.size > vmm::hyperlight::kMaxKernelFile) {
      return bad(shown + " is larger than any kernel");
    }
    return add_file(artifacts, kind, &tree, inode);
  }
  return bad(missing_file(kind));
}

/// Types under which tools push an archive; its bytes decide then.
Result<void> check_archive_type(std::string_view type) {
  constexpr std::array kPlain = {std::string_view("application/octet-stream"),
                                 std::string_view("application/gzip"),
                                 std::string_view("application/zstd")};
  if (type.find("cpio") != std::string_view::npos ||
      std::find(kPlain.begin(), kPlain.end(), type) != kPlain.end()) {
    return {};
  }
  return with_context("the artifact's layer", oci::check_layer_type(type));
}

Result<Descriptor> unpack_archive(const oci::Store& artifacts, const Descriptor& layer) {
  const UniqueFd blob = TRY(artifacts.blob(layer));
  std::array<char, kNewcMagic.size()> begin{};
  const ssize_t got = ::pread(blob.get(), begin.data(), begin.size(), 0);
  if (got == static_cast<ssize_t>(begin.size()) &&
      std::string_view(begin.data(), begin.size()) == kNewcMagic) {
    Descriptor file = layer;  // as it came
    file.media_type = file_type(ArtifactKind::Rootfs);
    file.annotations.clear();
    return file;
  }
  oci::BlobWriter writer = TRY(oci::BlobWriter::create(artifacts));
  TRY(with_context("the artifact's layer",
                   oci::unpack_blob(blob.get(), layer.size, [&](std::span<const std::byte> piece) {
                     return writer.write(piece);
                   })));
  return writer.finish(file_type(ArtifactKind::Rootfs));
}

Result<Descriptor> take_from_artifact(const oci::Store& artifacts, ArtifactKind kind,
                                      oci::Download* download) {
  const oci::Manifest& manifest = download->found().manifest;
  if (kind == ArtifactKind::Kernel) {
    return bad("is no image: kernels are published as images with a file /kernel");
  }
  if (manifest.layers.size() != 1) {
    return bad("the artifact has " + std::to_string(manifest.layers.size()) +
               " layers: a root file system is one archive");
  }
  TRY(check_archive_type(manifest.layers.front().media_type));
  TRY(download->layers());
  return unpack_archive(artifacts, manifest.layers.front());
}

bool is_image_config(std::string_view type) {
  return type == oci::kOciConfig || type == oci::kDockerConfig;
}

/// What is known of the file: a kernel's generation. Errors: why it would not boot.
Result<std::string> judge(const oci::Store& artifacts, ArtifactKind kind, const Descriptor& file) {
  namespace hyperlight = vmm::hyperlight;
  const UniqueFd fd = TRY(artifacts.blob(file));
  if (kind == ArtifactKind::Rootfs) {
    TRY(hyperlight::RootfsArchive::open(fd.get(), file.size));
    return std::string();
  }
  const std::string bytes = TRY(read_up_to(fd.get(), hyperlight::kMaxKernelFile, "/kernel"));
  return std::string(
      to_string(TRY(hyperlight::check_kernel_file(std::as_bytes(std::span(bytes))))));
}

Result<void> take(const oci::Store& artifacts, ArtifactKind kind, const std::string& name,
                  oci::Download* download) {
  const std::string source = download->found().descriptor.digest.text();
  const Descriptor file = TRY(is_image_config(download->found().manifest.config.media_type)
                                  ? take_from_image(artifacts, kind, download)
                                  : take_from_artifact(artifacts, kind, download));
  const std::string detail = TRY(judge(artifacts, kind, file));
  const Descriptor config = TRY(add_document(artifacts, oci::kArtifactConfig, config_type(kind)));
  Descriptor manifest =
      TRY(add_document(artifacts, artifact_manifest(config, file), oci::kOciManifest));
  return name_artifact(artifacts, name, std::move(manifest), {.source = source, .detail = detail});
}

/// The one of this name, if it is still what the registry has.
bool is_there(const oci::Store& artifacts, const std::string& name, const std::string& source) {
  const auto known = find_artifact(artifacts, name);
  return known && known->named.name == name && known->source == source &&
         artifacts.has(known->file);
}

std::string source_hex(const oci::StoredArtifact& artifact) {
  const auto digest = oci::Digest::parse(artifact.source);
  return digest ? short_digest(digest->hex()) : "";
}

/// What an option or argument calls it, as it is named.
Result<std::string> name_of(const std::string& text) {
  return text == oci::kDefaultArtifact ? text : TRY(oci::Reference::parse(text)).text();
}

}  // namespace

Result<Pulled> pull_artifact(const oci::Store& store, ArtifactKind kind,
                             const oci::Reference& reference, const oci::PullOptions& options) {
  const oci::Store artifacts = TRY(open_artifacts(store.directory(), kind));
  const std::string name = reference.text();
  std::string digest;
  {
    oci::Download download = TRY(oci::Download::begin(artifacts, reference, options));
    digest = download.found().descriptor.digest.text();
    if (!is_there(artifacts, name, digest)) {
      TRY(with_context(name, take(artifacts, kind, name, &download)));
    }
  }
  // The layers it came in. Where somebody adds one meanwhile, the next one or prune removes them.
  TRY(artifacts.collect(oci::Store::Wait::No));
  return Pulled{name, digest};
}

Result<void> print_artifacts(const oci::Store& store, ArtifactKind kind, bool names) {
  const oci::Store artifacts = TRY(open_artifacts(store.directory(), kind));
  std::vector<std::vector<std::string>> rows = {{"NAME", "DIGEST", "SIZE", "GENERATION"}};
  std::string list;
  for (const oci::StoredArtifact& artifact : TRY(list_artifacts(artifacts))) {
    list += artifact.named.name + "\n";
    rows.push_back({artifact.named.name, source_hex(artifact), decimal_size(artifact.file.size),
                    artifact.detail});
  }
  if (kind != ArtifactKind::Kernel) {
    for (std::vector<std::string>& row : rows) {
      row.pop_back();
    }
  }
  return print(names ? list : text_table(rows));
}

Result<int> verify_artifacts(const oci::Store& store, ArtifactKind kind) {
  return print_verified(TRY(open_artifacts(store.directory(), kind)));
}

Result<void> remove_artifacts(const oci::Store& store, ArtifactKind kind,
                              std::span<const std::string> names) {
  const oci::Store artifacts = TRY(open_artifacts(store.directory(), kind));
  for (const std::string& name : names) {
    TRY(artifacts.remove_name(TRY(name_of(name))));
  }
  TRY(artifacts.collect(oci::Store::Wait::No));
  return {};
}

}  // namespace runhl::image
