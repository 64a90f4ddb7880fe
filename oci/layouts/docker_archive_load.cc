// SPDX-License-Identifier: Apache-2.0
// Two passes: manifest.json may stand behind what it names. What it does not name is not stored.
#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <vector>

#include "runhl/blobs/blob_writer.h"
#include "runhl/image/media_types.h"
#include "runhl/layouts/docker_archive.h"
#include "runhl/reference/reference.h"

namespace runhl::oci {
namespace {

constexpr std::size_t kMaxSymlinks = 10'000;  // one a layer at most

struct Close {
  void operator()(archive* reader) const { archive_read_free(reader); }
};

class Reader {
 public:
  static Result<Reader> open(const std::string& file) {
    Reader reader;
    archive* const self = reader.reader_.get();
    archive_read_support_filter_gzip(self);
    archive_read_support_filter_zstd(self);
    archive_read_support_format_tar(self);
    if (archive_read_open_filename(self, file.c_str(), 256ULL << 10U) < ARCHIVE_OK) {
      return reader.error();
    }
    return reader;
  }
  /// False at the end.
  Result<bool> next() {
    const int status = archive_read_next_header(reader_.get(), &entry_);
    if (status == ARCHIVE_EOF) {
      return false;
    }
    if (status < ARCHIVE_WARN) {
      return error();
    }
    return true;
  }
  [[nodiscard]] std::string path() const {
    const char* const path = archive_entry_pathname(entry_);
    std::string_view text = path == nullptr ? "" : path;
    return std::string(text.starts_with("./") ? text.substr(2) : text);
  }
  [[nodiscard]] bool is_file() const {
    return archive_entry_filetype(entry_) == AE_IFREG && archive_entry_hardlink(entry_) == nullptr;
  }
  /// Of a symlink or a hard link; empty: neither.
  [[nodiscard]] std::string target() const {
    const char* target = archive_entry_hardlink(entry_);
    if (target != nullptr) {
      return "/" + std::string(target);
    }
    target = archive_entry_symlink(entry_);
    return target == nullptr ? "" : target;
  }
  template <typename Take>
  Result<void> data(Take&& take) {
    for (;;) {
      const void* bytes = nullptr;
      std::size_t size = 0;
      la_int64_t offset = 0;
      const int status = archive_read_data_block(reader_.get(), &bytes, &size, &offset);
      if (status == ARCHIVE_EOF) {
        return {};
      }
      if (status < ARCHIVE_WARN) {
        return error();
      }
      TRY(take(std::span(static_cast<const std::byte*>(bytes), size)));
    }
  }

 private:
  Reader() { RUNHL_CHECK(reader_ != nullptr); }
  [[nodiscard]] tl::unexpected<Error> error() const {
    const char* const why = archive_error_string(reader_.get());
    return fail(ErrorCode::InvalidArgument, why != nullptr ? why : "is no tar archive");
  }

  std::unique_ptr<archive, Close> reader_{archive_read_new()};
  archive_entry* entry_ = nullptr;
};

/// `target` as a symlink that lies at `path`; "/…" is the archive's root.
std::string link_target(const std::string& path, const std::string& target) {
  std::vector<std::string> names;
  const std::string whole =
      target.starts_with('/') ? target : path.substr(0, path.rfind('/') + 1) + target;
  for (std::size_t at = 0; at < whole.size();) {
    const std::size_t end = std::min(whole.find('/', at), whole.size());
    const std::string name = whole.substr(at, end - at);
    at = end + 1;
    if (name == ".." && !names.empty()) {
      names.pop_back();
    } else if (!name.empty() && name != "." && name != "..") {
      names.push_back(name);
    }
  }
  std::string out;
  for (const std::string& name : names) {
    out += (out.empty() ? "" : "/") + name;
  }
  return out;
}

struct Contents {
  std::vector<ArchivedImage> images;
  std::map<std::string, std::string> links;
};

Result<Contents> look(const std::string& file) {
  Contents contents;
  std::string manifest;
  bool found = false;
  Reader reader = TRY(Reader::open(file));
  while (TRY(reader.next())) {
    const std::string path = reader.path();
    if (const std::string target = reader.target(); !target.empty()) {
      if (contents.links.size() >= kMaxSymlinks) {
        return fail(ErrorCode::InvalidArgument, "too many links");
      }
      contents.links[path] = link_target(path, target);
    } else if (path == "manifest.json" && reader.is_file()) {
      found = true;
      manifest.clear();
      TRY(reader.data([&](std::span<const std::byte> bytes) -> Result<void> {
        manifest.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
        return manifest.size() <= kMaxDocumentBytes
                   ? Result<void>{}
                   : fail(ErrorCode::InvalidArgument, "manifest.json: is larger than 4 MiB");
      }));
    }
  }
  if (!found) {
    return fail(ErrorCode::InvalidArgument, "has no manifest.json: no archive of docker save");
  }
  contents.images = TRY(with_context("manifest.json", parse_archive_manifest(manifest)));
  if (contents.images.empty()) {
    return fail(ErrorCode::InvalidArgument, "manifest.json: names no image");
  }
  return contents;
}

/// Old dockers wrote a layer that two images share once, and a symlink.
std::string follow(const Contents& contents, std::string path) {
  for (int i = 0; i < 8; ++i) {
    const auto link = contents.links.find(path);
    if (link == contents.links.end()) {
      return path;
    }
    path = link->second;
  }
  return path;
}

std::string_view layer_type(std::string_view first_bytes) {
  constexpr std::string_view kGzip = "\x1f\x8b", kZstd = "\x28\xb5\x2f\xfd";
  return first_bytes.starts_with(kGzip)   ? kOciLayerGzip
         : first_bytes.starts_with(kZstd) ? kOciLayerZstd
                                          : kOciLayerTar;
}

using Blobs = std::map<std::string, Descriptor>;  // by path

Result<Blobs> store_files(const Store& store, const std::string& file,
                          const std::set<std::string>& wanted) {
  Blobs blobs;
  Reader reader = TRY(Reader::open(file));
  while (TRY(reader.next())) {
    const std::string path = reader.path();
    if (!wanted.contains(path) || !reader.is_file() || blobs.contains(path)) {
      continue;
    }
    BlobWriter writer = TRY(BlobWriter::create(store));
    std::string first;
    TRY(reader.data([&](std::span<const std::byte> bytes) {
      if (first.empty()) {
        first.assign(reinterpret_cast<const char*>(bytes.data()),
                     std::min<std::size_t>(bytes.size(), 4));
      }
      return writer.write(bytes);
    }));
    blobs.emplace(path, TRY(writer.finish(layer_type(first))));
  }
  return blobs;
}

Result<Descriptor> add_image(const Store& store, const Contents& contents, const Blobs& blobs,
                             const ArchivedImage& image) {
  const auto find = [&](const std::string& path) -> Result<Descriptor> {
    const auto at = blobs.find(follow(contents, path));
    return at != blobs.end() ? Result<Descriptor>(at->second)
                             : fail(ErrorCode::InvalidArgument, "has no \"" + path + "\"");
  };
  Manifest manifest{.config = TRY(find(image.config)), .layers = {}};
  manifest.config.media_type = kOciConfig;
  for (const std::string& layer : image.layers) {
    manifest.layers.push_back(TRY(find(layer)));
  }
  return add_document(store, to_json(manifest), kOciManifest);
}

Result<std::vector<std::string>> load(const Store& store, const std::string& file,
                                      const std::string& name) {
  Contents contents = TRY(look(file));
  if (!name.empty()) {
    if (contents.images.size() != 1) {
      return fail(ErrorCode::InvalidArgument, "holds several images: they keep their names");
    }
    contents.images.front().names = {name};
  }
  std::set<std::string> wanted;
  for (const ArchivedImage& image : contents.images) {
    wanted.insert(follow(contents, image.config));
    for (const std::string& layer : image.layers) {
      wanted.insert(follow(contents, layer));
    }
  }
  const UniqueFd use = TRY(store.begin_adding());
  const Blobs blobs = TRY(store_files(store, file, wanted));
  std::vector<std::string> names;
  for (const ArchivedImage& image : contents.images) {
    const Descriptor manifest = TRY(add_image(store, contents, blobs, image));
    for (const std::string& written : image.names) {
      const std::string full = TRY(Reference::parse(written)).text();
      TRY(load_image(store, {.name = full, .descriptor = manifest}));
      TRY(store.set_name(full, manifest));
      names.push_back(full);
    }
  }
  if (names.empty()) {
    return fail(ErrorCode::InvalidArgument,
                "the image has no name there: tell one (runhl load docker-archive:FILE NAME)");
  }
  return names;
}

}  // namespace

Result<std::vector<std::string>> load_docker_archive(const Store& store, const std::string& file,
                                                     const std::string& name) {
  return with_context(file, load(store, file, name));
}

}  // namespace runhl::oci
