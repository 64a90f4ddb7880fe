// SPDX-License-Identifier: Apache-2.0
#include "runhl/layouts/layout.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <array>

#include "copy_file.h"
#include "runhl/base/file_io.h"
#include "runhl/base/output_file.h"
#include "runhl/blobs/blob_writer.h"
#include "runhl/image/media_types.h"
#include "runhl/reference/reference.h"

namespace runhl::oci {
namespace {

Result<void> copy_blob(const Store& store, const std::string& directory,
                       const Descriptor& descriptor) {
  if (store.has(descriptor)) {
    return {};
  }
  const UniqueFd from = TRY(open_layout_blob(directory, descriptor));
  BlobWriter writer = TRY(BlobWriter::create(store));
  TRY(for_each_piece(from.get(), "read",
                     [&](std::span<const std::byte> piece) { return writer.write(piece); }));
  return writer.finish(descriptor);
}

Result<std::string> read_index(const std::string& directory) {
  const std::string path = directory + "/index.json";
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  if (!fd) {
    return fail_errno(path);
  }
  std::string text = TRY(read_up_to(fd.get(), kMaxDocumentBytes + 1, "read"));
  if (text.size() > kMaxDocumentBytes) {
    return fail(ErrorCode::InvalidArgument, path + ": is larger than 4 MiB");
  }
  return text;
}

std::string annotation(const Descriptor& descriptor, const std::string& key) {
  const auto at = descriptor.annotations.find(key);
  return at == descriptor.annotations.end() ? "" : at->second;
}

std::string ref_of(const Descriptor& descriptor) {
  return annotation(descriptor, std::string(kRefNameAnnotation));
}

/// The image that is meant.
Result<Descriptor> find_ref(const Index& index, const LayoutSource& source) {
  if (source.ref.empty() && index.manifests.size() == 1) {
    return index.manifests.front();
  }
  std::string known;
  for (const Descriptor& descriptor : index.manifests) {
    const std::string ref = ref_of(descriptor);
    if (!source.ref.empty() && ref == source.ref) {
      return descriptor;
    }
    known += (known.empty() || ref.empty() ? "" : ", ") + ref;
  }
  if (source.ref.empty()) {
    return choose(index, source.platform);  // an index of one image for several platforms
  }
  return fail(ErrorCode::NotFound,
              "no image \"" + source.ref + "\"; there are: " + (known.empty() ? "none" : known));
}

/// A bare tag, as umoci writes it, is nobody's name.
Result<std::string> name_of(const LayoutSource& source, const Descriptor& descriptor) {
  std::string name = source.name;
  if (name.empty()) {
    name = annotation(descriptor, "io.containerd.image.name");
  }
  if (name.empty() && ref_of(descriptor).find_first_of(":/@") != std::string::npos) {
    name = ref_of(descriptor);
  }
  if (name.empty()) {
    return fail(ErrorCode::InvalidArgument,
                "the image has no full name there: tell one (oci:DIR[:REF] NAME)");
  }
  return TRY(Reference::parse(name)).text();
}

Result<LayoutImage> find(const LayoutSource& source) {
  const Document document =
      TRY(with_context("index.json", parse_document(TRY(read_index(source.directory)))));
  const Index* const index = std::get_if<Index>(&document);
  if (index == nullptr) {
    return fail(ErrorCode::InvalidArgument, "index.json: is no index");
  }
  Descriptor top = TRY(find_ref(*index, source));
  std::string name = TRY(name_of(source, top));
  return LayoutImage{.top = std::move(top), .name = std::move(name)};
}

Result<std::string> load(const Store& store, const LayoutSource& source) {
  const auto [top, name] = TRY(find(source));
  const UniqueFd use = TRY(store.begin_adding());
  const Resolved image =
      TRY(resolve(top, source.platform, [&](const Descriptor& wanted) -> Result<std::string> {
        if (wanted.size > kMaxDocumentBytes) {
          return fail(ErrorCode::InvalidArgument, wanted.digest.text() + ": is larger than 4 MiB");
        }
        TRY(copy_blob(store, source.directory, wanted));
        return store.document(wanted);
      }));
  TRY(copy_blob(store, source.directory, image.manifest.config));
  const NamedImage named{.name = name,
                         .descriptor = {.media_type = std::string(kOciManifest),
                                        .digest = image.descriptor.digest,
                                        .size = image.descriptor.size}};
  TRY(load_image(store, named));  // before the large part comes
  for (const Descriptor& layer : image.manifest.layers) {
    TRY(copy_blob(store, source.directory, layer));
  }
  TRY(store.set_name(name, named.descriptor));
  return name;
}

Result<void> save_blob(const Store& store, const Descriptor& descriptor,
                       const std::string& directory) {
  const UniqueFd from = TRY(store.blob(descriptor));
  OutputFile file = TRY(OutputFile::create(directory));
  TRY(copy_file(from.get(), file.fd(), descriptor.digest.text()));
  return file.publish(descriptor.digest.hex());
}

}  // namespace

Result<UniqueFd> open_layout_blob(const std::string& directory, const Descriptor& descriptor) {
  const std::string path = directory + "/blobs/sha256/" + descriptor.digest.hex();
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  struct stat info{};
  if (!fd || ::fstat(fd.get(), &info) < 0) {
    return fail_errno(path);
  }
  if (!S_ISREG(info.st_mode) || static_cast<std::uint64_t>(info.st_size) != descriptor.size) {
    return fail(ErrorCode::InvalidArgument, path + ": is no file of the " +
                                                std::to_string(descriptor.size) +
                                                " bytes that its descriptor says");
  }
  return fd;
}

Result<LayoutImage> find_in_layout(const LayoutSource& source) {
  return with_context(source.directory, find(source));
}

Result<std::string> load_layout(const Store& store, const LayoutSource& source) {
  return with_context(source.directory, load(store, source));
}

Result<void> save_layout(const Store& store, const StoredImage& image,
                         const std::string& directory) {
  const std::string blobs = directory + "/blobs/sha256";
  for (const std::string& path : {directory, directory + "/blobs", blobs}) {
    if (::mkdir(path.c_str(), 0755) < 0) {
      return fail_errno(path);
    }
  }
  TRY(save_blob(store, image.manifest.config, blobs));
  for (const Descriptor& layer : image.manifest.layers) {
    TRY(save_blob(store, layer, blobs));
  }
  TRY(save_blob(store, image.named.descriptor, blobs));
  Descriptor top = image.named.descriptor;
  top.platform = image.config.platform;
  top.annotations[std::string(kRefNameAnnotation)] = image.named.name;
  TRY(write_output_file(directory, "oci-layout", R"({"imageLayoutVersion":"1.0.0"})"));
  return write_output_file(directory, "index.json", to_json(Index{{top}}));
}

}  // namespace runhl::oci
