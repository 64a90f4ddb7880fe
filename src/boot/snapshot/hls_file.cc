// SPDX-License-Identifier: Apache-2.0
#include "boot/snapshot/hls_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <span>
#include <utility>

#include "boot/snapshot/blake3.h"
#include "boot/snapshot/blob_copy.h"
#include "boot/snapshot/hls_format.h"
#include "runhl/base/file_io.h"
#include "runhl/base/output_file.h"
#include "runhl/core/zeros.h"

namespace runhl::boot {
namespace {

constexpr unsigned kFileMode = 0600;

tl::unexpected<Error> bad(std::string why) {
  return fail(ErrorCode::InvalidArgument, std::move(why));
}

/// Of a file's memory, which goes the way of `from` and `to`.
Result<Blake3Digest> copy_memory(FilePlace from, FilePlace to, std::uint64_t size) {
  Blake3 hash;
  TRY(copy_sparse(from, to, size,
                  [&hash](std::span<const std::byte> piece) { hash.update(piece); }));
  return hash.finish();
}

struct OpenFile {
  UniqueFd fd;
  std::uint64_t size = 0;
};

Result<OpenFile> open_file(const std::string& path) {
  OpenFile file;
  file.fd.reset(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  struct stat info{};
  if (!file.fd || ::fstat(file.fd.get(), &info) != 0) {
    return fail_errno(path);
  }
  if (!S_ISREG(info.st_mode)) {
    return bad(path + (S_ISDIR(info.st_mode) ? ": a directory; a snapshot of a G1 kernel is a file"
                                             : ": not a regular file"));
  }
  file.size = static_cast<std::uint64_t>(info.st_size);
  return file;
}

Result<std::string> read_head(const OpenFile& file) {
  std::string head(std::min<std::uint64_t>(kHlsFixed, file.size), '\0');
  TRY(read_all_at(file.fd.get(), std::as_writable_bytes(std::span(head)), 0, "header"));
  head.resize(TRY(hls_head_size(head)));
  if (file.size < head.size()) {
    return bad("cut off within its host functions");
  }
  TRY(read_all_at(file.fd.get(), std::as_writable_bytes(std::span(head)), 0, "header"));
  return head;
}

/// A copy, so that nobody changes it after it was checked.
Result<UniqueFd> read_memory(const OpenFile& file, std::uint64_t offset, std::uint64_t size,
                             const Blake3Digest& digest) {
  UniqueFd memory(::memfd_create("runhl-snapshot", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!memory || ::ftruncate(memory.get(), static_cast<off_t>(size)) != 0) {
    return fail_errno("memory for a snapshot");
  }
  if (TRY(copy_memory({file.fd.get(), offset}, {memory.get(), 0}, size)) != digest) {
    return bad("blob_hash: the memory is not what it was");
  }
  TRY(seal(memory.get()));
  return memory;
}

Result<StoredSnapshot> read_from(const OpenFile& file) {
  const std::string head = TRY(read_head(file));
  HlsHead parsed = TRY(parse_hls_head(head));
  const vmm::hyperlight::Snapshot& snapshot = parsed.config.snapshot;
  const std::uint64_t memory_size = snapshot.image_size + snapshot.tables_size;
  const std::uint64_t whole = head.size() + memory_size + kHlsTail;
  if (file.size != whole) {
    return bad("memory_size: with " + std::to_string(memory_size) + " bytes of memory it has " +
               std::to_string(whole) + " bytes, and there are " + std::to_string(file.size));
  }
  std::array<std::byte, kHlsTail> tail{};
  TRY(read_all_at(file.fd.get(), tail, whole - kHlsTail, "last page"));
  if (!is_zero(tail)) {
    return bad("something stands in its last page");
  }
  StoredSnapshot stored;
  stored.memory = TRY(read_memory(file, head.size(), memory_size, parsed.blob_hash));
  stored.config = std::move(parsed.config);
  return stored;
}

}  // namespace

Result<void> write_hls(const std::string& path, const SnapshotConfig& config, int memory_fd) {
  const std::size_t slash = path.rfind('/');
  const std::string directory = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const std::string name = path.substr(slash == std::string::npos ? 0 : slash + 1);
  if (name.empty()) {
    return bad(path + ": no name of a file");
  }
  OutputFile file = TRY(OutputFile::create(directory, kFileMode));
  HlsHead head{.config = config, .blob_hash = {}};
  const std::uint64_t memory_at = format_hls_head(head).size();
  const std::uint64_t memory_size = config.snapshot.image_size + config.snapshot.tables_size;
  if (::ftruncate(file.fd(), static_cast<off_t>(memory_at + memory_size + kHlsTail)) != 0) {
    return fail_errno(path);
  }
  head.blob_hash =
      TRY(with_context(path, copy_memory({memory_fd, 0}, {file.fd(), memory_at}, memory_size)));
  TRY(write_all_at(file.fd(), format_hls_head(head), 0, path));
  return file.publish_new(name);
}

Result<StoredSnapshot> read_hls(const std::string& path) {
  const OpenFile file = TRY(open_file(path));
  return with_context(path, read_from(file));
}

}  // namespace runhl::boot
