// SPDX-License-Identifier: Apache-2.0
#include <archive.h>
#include <archive_entry.h>
#include <sys/stat.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <set>

#include "copy_file.h"
#include "runhl/base/file_io.h"
#include "runhl/base/output_file.h"
#include "runhl/layouts/docker_archive.h"

namespace runhl::oci {
namespace {

struct CloseArchive {
  void operator()(archive* writer) const { archive_write_free(writer); }
};
struct CloseEntry {
  void operator()(archive_entry* entry) const { archive_entry_free(entry); }
};

class Writer {
 public:
  static Result<Writer> create(int fd) {
    Writer writer;
    archive* const self = writer.writer_.get();
    archive_write_set_format_pax_restricted(self);
    return archive_write_open_fd(self, fd) < ARCHIVE_OK ? writer.error()
                                                        : Result<Writer>(std::move(writer));
  }
  Result<void> begin(const std::string& path, std::uint64_t size) {
    const std::unique_ptr<archive_entry, CloseEntry> entry(archive_entry_new());
    RUNHL_CHECK(entry != nullptr);
    archive_entry_set_pathname(entry.get(), path.c_str());
    archive_entry_set_filetype(entry.get(), AE_IFREG);
    archive_entry_set_perm(entry.get(), 0644);
    archive_entry_set_size(entry.get(), static_cast<la_int64_t>(size));
    archive_entry_set_mtime(entry.get(), 0, 0);  // the same image, the same file
    return check(archive_write_header(writer_.get(), entry.get()));
  }
  Result<void> write(std::span<const std::byte> bytes) {
    const la_ssize_t written = archive_write_data(writer_.get(), bytes.data(), bytes.size());
    return written == static_cast<la_ssize_t>(bytes.size()) ? Result<void>{} : error();
  }
  Result<void> finish() { return check(archive_write_close(writer_.get())); }

 private:
  Writer() { RUNHL_CHECK(writer_ != nullptr); }
  Result<void> check(int status) { return status < ARCHIVE_WARN ? error() : Result<void>{}; }
  tl::unexpected<Error> error() {
    const char* const why = archive_error_string(writer_.get());
    return fail(ErrorCode::Io, why != nullptr ? why : "cannot be written");
  }

  std::unique_ptr<archive, CloseArchive> writer_{archive_write_new()};
};

Result<void> put_blob(const Store& store, const Descriptor& descriptor, const std::string& path,
                      Writer* writer) {
  const UniqueFd from = TRY(store.blob(descriptor));
  TRY(writer->begin(path, descriptor.size));
  return for_each_piece(from.get(), "read",
                        [&](std::span<const std::byte> piece) { return writer->write(piece); });
}

Result<void> write_image(const Store& store, const StoredImage& image, int fd) {
  Writer writer = TRY(Writer::create(fd));
  const std::string config = image.manifest.config.digest.hex() + ".json";
  TRY(put_blob(store, image.manifest.config, config, &writer));
  std::vector<std::string> layers;
  std::set<std::string> written;
  for (const Descriptor& layer : image.manifest.layers) {
    layers.push_back(layer.digest.hex() + ".tar");
    if (written.insert(layers.back()).second) {
      TRY(put_blob(store, layer, layers.back(), &writer));
    }
  }
  const nlohmann::json manifest = {{{"Config", config},
                                    {"RepoTags", nlohmann::json::array({image.named.name})},
                                    {"Layers", layers}}};
  const std::string text = manifest.dump();
  TRY(writer.begin("manifest.json", text.size()));
  TRY(writer.write(std::as_bytes(std::span(text))));
  return writer.finish();
}

}  // namespace

Result<void> save_docker_archive(const Store& store, const StoredImage& image,
                                 const std::string& file) {
  const std::size_t slash = file.rfind('/');
  OutputFile output =
      TRY(OutputFile::create(slash == std::string::npos ? "." : file.substr(0, slash + 1)));
  TRY(with_context(file, write_image(store, image, output.fd())));
  return output.publish(slash == std::string::npos ? file : file.substr(slash + 1));
}

}  // namespace runhl::oci
