// SPDX-License-Identifier: Apache-2.0
#include "boot/snapshot/directory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <string_view>
#include <utility>

#include "boot/snapshot/blob_copy.h"
#include "boot/snapshot/documents.h"
#include "runhl/base/file_io.h"
#include "runhl/base/output_directory.h"
#include "runhl/blobs/sha256.h"
#include "runhl/image/media_types.h"

namespace runhl::boot {
namespace {

constexpr std::size_t kMaxDocument = std::size_t{64} << 10U;
constexpr std::size_t kMaxTransport = std::size_t{2} << 20U;  // upstream's limit
constexpr mode_t kFileMode = 0600;

tl::unexpected<Error> bad(std::string why) {
  return fail(ErrorCode::InvalidArgument, std::move(why));
}

/// Of the directory that a snapshot is written to, before it has its name.
class NewFiles {
 public:
  static Result<NewFiles> create(const std::string& final_name) {
    NewFiles files(TRY(OutputDirectory::create(final_name)));
    const std::string& path = files.directory_.path();
    files.fd_.reset(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!files.fd_ || ::mkdirat(files.fd_.get(), "blobs", 0700) != 0 ||
        ::mkdirat(files.fd_.get(), "blobs/sha256", 0700) != 0) {
      return fail_errno(path);
    }
    return files;
  }

  Result<UniqueFd> make_file(const std::string& name) {
    UniqueFd file(
        ::openat(fd_.get(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, kFileMode));
    return file ? Result<UniqueFd>(std::move(file)) : fail_errno(directory_.path() + "/" + name);
  }
  Result<void> write(const std::string& name, std::string_view text) {
    const UniqueFd file = TRY(make_file(name));
    TRY(write_all(file.get(), text, name));
    return ::fsync(file.get()) == 0 ? Result<void>() : fail_errno(name);
  }
  Result<BlobName> write_blob(std::string_view media_type, std::string_view text) {
    const oci::Digest digest = oci::digest_of(text);
    TRY(write("blobs/sha256/" + digest.hex(), text));
    return BlobName{std::string(media_type), digest, text.size()};
  }
  /// A large one, whose name is known at its end.
  Result<BlobName> copy_blob(std::string_view media_type, int from, std::uint64_t size) {
    const std::string temporary = "blobs/new";
    const UniqueFd file = TRY(make_file(temporary));
    const oci::Digest digest = TRY(copy_sparse(from, file.get(), size));
    const std::string name = "blobs/sha256/" + digest.hex();
    if (::fsync(file.get()) != 0 ||
        ::renameat(fd_.get(), temporary.c_str(), fd_.get(), name.c_str()) != 0) {
      return fail_errno(name);
    }
    return BlobName{std::string(media_type), digest, size};
  }
  /// The bytes are on the disk before the name is.
  Result<void> publish() {
    for (const char* const inner : {"blobs/sha256", "blobs", "."}) {
      const UniqueFd fd(::openat(fd_.get(), inner, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
      if (!fd || ::fsync(fd.get()) != 0) {
        return fail_errno(directory_.path());
      }
    }
    return directory_.publish();
  }

 private:
  explicit NewFiles(OutputDirectory directory) : directory_(std::move(directory)) {}
  OutputDirectory directory_;
  UniqueFd fd_;
};

struct OpenFile {
  UniqueFd fd;
  std::uint64_t size = 0;
};

Result<OpenFile> open_file(int directory, const std::string& name) {
  OpenFile file;
  file.fd.reset(::openat(directory, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  struct stat info{};
  if (!file.fd || ::fstat(file.fd.get(), &info) != 0) {
    return fail_errno(name);
  }
  if (!S_ISREG(info.st_mode)) {
    return bad(name + ": not a regular file");
  }
  file.size = static_cast<std::uint64_t>(info.st_size);
  return file;
}

Result<std::string> read_file(int directory, const std::string& name, std::size_t most) {
  const OpenFile file = TRY(open_file(directory, name));
  std::string text = TRY(read_up_to(file.fd.get(), most + 1, name));
  return text.size() <= most ? Result<std::string>(std::move(text)) : bad(name + ": too large");
}

std::string path_of(const BlobName& blob) {
  return "blobs/sha256/" + blob.digest.hex();
}

tl::unexpected<Error> changed(const BlobName& blob) {
  return bad("blob " + blob.digest.text() + " is not what it was: it has another " +
             "digest or size");
}

Result<std::string> read_blob(int directory, const BlobName& blob, std::size_t most) {
  std::string text = TRY(read_file(directory, path_of(blob), most));
  return text.size() == blob.size && oci::digest_of(text) == blob.digest
             ? Result<std::string>(std::move(text))
             : changed(blob);
}

/// A copy, so that nobody changes it after it was checked.
Result<UniqueFd> read_memory(int directory, const BlobName& blob, std::uint64_t size) {
  const OpenFile file = TRY(open_file(directory, path_of(blob)));
  if (file.size != blob.size || blob.size != size) {
    return changed(blob);
  }
  UniqueFd memory(::memfd_create("runhl-snapshot", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!memory) {
    return fail_errno("memory for a snapshot");
  }
  if (TRY(copy_sparse(file.fd.get(), memory.get(), size)) != blob.digest) {
    return changed(blob);
  }
  TRY(seal(memory.get()));
  return memory;
}

/// What no digest covers says the same as what one does.
Result<std::string> check_index(const SnapshotIndex& index, const SnapshotManifest& manifest,
                                const SnapshotConfig& config) {
  const std::size_t key = index.tag.rfind("-k");
  if (key == std::string::npos || index.arch != "x86_64" || index.host != config.host ||
      (!manifest.tag.empty() && manifest.tag != index.tag)) {
    return bad("index.json: is not of this snapshot");
  }
  return index.tag.substr(key + 1);
}

Result<StoredSnapshot> read_from(int directory) {
  TRY(with_context("oci-layout",
                   check_layout(TRY(read_file(directory, "oci-layout", kMaxDocument)))));
  const SnapshotIndex index = TRY(with_context(
      "index.json", parse_index(TRY(read_file(directory, "index.json", kMaxDocument)))));
  SnapshotManifest manifest = TRY(with_context(
      "manifest", parse_manifest(TRY(read_blob(directory, index.manifest, kMaxDocument)))));
  StoredSnapshot stored;
  stored.config = TRY(with_context(
      "configuration", parse_config(TRY(read_blob(directory, manifest.config, kMaxConfigBytes)))));
  vmm::hyperlight::Snapshot& snapshot = stored.config.snapshot;
  if (manifest.config.media_type != config_media_type(snapshot.has_queues != 0) ||
      (snapshot.has_queues != 0) == manifest.transport.empty()) {
    return bad("manifest: its parts are of different formats");
  }
  for (const BlobName& blob : manifest.transport) {
    TRY(parse_transport(TRY(read_blob(directory, blob, kMaxTransport)), &snapshot));
  }
  stored.origin = std::move(manifest.origin);
  stored.origin.key = TRY(check_index(index, manifest, stored.config));
  stored.memory =
      TRY(read_memory(directory, manifest.memory, snapshot.image_size + snapshot.tables_size));
  return stored;
}

}  // namespace

Result<void> write_snapshot(const std::string& directory, const SnapshotConfig& config,
                            int memory_fd, const SnapshotOrigin& origin) {
  const vmm::hyperlight::Snapshot& snapshot = config.snapshot;
  NewFiles files = TRY(NewFiles::create(directory));
  SnapshotManifest manifest{
      .config =
          TRY(files.write_blob(config_media_type(snapshot.has_queues != 0), format_config(config))),
      .memory =
          TRY(files.copy_blob(kMemoryType, memory_fd, snapshot.image_size + snapshot.tables_size)),
      .transport = {},
      .tag = {},
      .origin = origin};
  if (snapshot.has_queues != 0) {
    manifest.transport.push_back(TRY(files.write_blob(kTransportType, format_transport(snapshot))));
  }
  const SnapshotIndex index{
      .manifest = TRY(files.write_blob(oci::kOciManifest, format_manifest(manifest))),
      .tag = tag_of(origin),
      .arch = "x86_64",
      .host = config.host};
  TRY(files.write("index.json", format_index(index)));
  TRY(files.write("oci-layout", kLayoutText));
  return files.publish();
}

Result<StoredSnapshot> read_snapshot(const std::string& directory) {
  const UniqueFd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) {
    return fail_errno(directory);
  }
  return with_context(directory, read_from(fd.get()));
}

}  // namespace runhl::boot
