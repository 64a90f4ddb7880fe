// SPDX-License-Identifier: Apache-2.0
#include "layer_reader.h"

#include <archive.h>
#include <archive_entry.h>
#include <linux/limits.h>
#include <sys/stat.h>

#include <array>
#include <limits>

#include "archive_input.h"
#include "runhl/core/units.h"

namespace runhl::oci {
namespace {

constexpr std::uint64_t kBlock = 512;  // of tar: headers and contents end at its multiples
// A sparse file may say any size, and costs as much when it is written.
constexpr std::uint64_t kMaxFileSize = 1024 * kGiB;

tl::unexpected<Error> refuse(const std::string& path, std::string_view why) {
  return fail(ErrorCode::InvalidArgument, path + ": " + std::string(why));
}

Result<std::uint32_t> id_of(const std::string& path, la_int64_t id) {
  if (id < 0 || id > std::numeric_limits<std::uint32_t>::max()) {
    return refuse(path, "has an owner beyond 32 bits");
  }
  return static_cast<std::uint32_t>(id);
}

Result<std::vector<initrd::Xattr>> xattrs_of(const std::string& path, archive_entry* entry) {
  std::vector<initrd::Xattr> xattrs;
  archive_entry_xattr_reset(entry);
  const char* name = nullptr;
  const void* value = nullptr;
  std::size_t size = 0;
  while (archive_entry_xattr_next(entry, &name, &value, &size) == ARCHIVE_OK) {
    if (name == nullptr || std::string_view(name).size() > XATTR_NAME_MAX ||
        size > XATTR_SIZE_MAX || xattrs.size() >= XATTR_LIST_MAX / 2) {
      return refuse(path, "has an extended attribute that Linux does not take");
    }
    xattrs.push_back({.name = name, .value = std::string(static_cast<const char*>(value), size)});
  }
  return xattrs;
}

Result<void> fill_device(const std::string& path, std::uint64_t major, std::uint64_t minor,
                         initrd::InodeSpec* out) {
  if (major >= 1U << 12U || minor >= 1U << 20U) {
    return refuse(path, "has a device number that Linux does not have");
  }
  out->device_major = static_cast<std::uint32_t>(major);
  out->device_minor = static_cast<std::uint32_t>(minor);
  return {};
}

Result<void> fill_kind(const std::string& path, archive_entry* entry, initrd::InodeSpec* out) {
  switch (archive_entry_filetype(entry)) {
    case AE_IFREG: {
      const la_int64_t size = archive_entry_size(entry);
      if (size < 0 || static_cast<std::uint64_t>(size) > kMaxFileSize) {
        return refuse(path, "says that it has " + std::to_string(size) + " bytes");
      }
      out->size = static_cast<std::uint64_t>(size);
      return {};
    }
    case AE_IFLNK: {
      const char* const target = archive_entry_symlink(entry);
      if (target == nullptr || *target == '\0' || std::string_view(target).size() >= PATH_MAX) {
        return refuse(path, "is a symlink to nothing, or to more than 4095 bytes");
      }
      out->target = target;
      return {};
    }
    case AE_IFCHR:
    case AE_IFBLK:
      return fill_device(path, archive_entry_rdevmajor(entry), archive_entry_rdevminor(entry), out);
    case AE_IFDIR:
    case AE_IFIFO:
      return {};
    default:
      return refuse(path, "is of a kind that a layer cannot have");
  }
}

Result<LayerEntry> entry_of(archive_entry* entry) {
  const char* const path = archive_entry_pathname(entry);
  if (path == nullptr || *path == '\0') {
    return fail(ErrorCode::InvalidArgument, "an entry has no name");
  }
  LayerEntry out;
  out.path = path;
  if (const char* const target = archive_entry_hardlink(entry); target != nullptr) {
    out.hard_link = target;
    return out;
  }
  out.inode.mode = archive_entry_filetype(entry) | (archive_entry_perm(entry) & 07777U);
  out.inode.uid = TRY(id_of(out.path, archive_entry_uid(entry)));
  out.inode.gid = TRY(id_of(out.path, archive_entry_gid(entry)));
  out.inode.modified = archive_entry_mtime(entry);
  out.inode.modified_ns = static_cast<std::uint32_t>(archive_entry_mtime_nsec(entry));
  TRY(fill_kind(out.path, entry, &out.inode));
  out.inode.xattrs = TRY(xattrs_of(out.path, entry));
  return out;
}

}  // namespace

struct LayerReader::State {
  explicit State(Decompressor* bytes) : from(bytes), input([this] { return read(); }) {}

  Decompressor* from;
  ArchiveInput input;
  std::string path;
  bool opened = false;
  std::uint64_t taken = 0;                    // bytes of the tar archive that the library was given
  std::optional<std::uint64_t> contents_end;  // of the last entry, where that is known

  /// Some write the last file's contents and stop there (umoci insert): Go's reader takes that, the
  /// library wants the block filled. A file that is cut short is not filled.
  Result<std::span<const std::byte>> read() {
    static constexpr std::array<std::byte, kBlock> kZeros{};
    std::span<const std::byte> piece = TRY(from->read());
    if (piece.empty() && taken % kBlock != 0 && contents_end && taken >= *contents_end) {
      piece = std::span(kZeros).first(kBlock - (taken % kBlock));
    }
    taken += piece.size();
    return piece;
  }

  /// Once the library has read an entry's header.
  void note_contents(archive_entry* entry) {
    const la_int64_t at = archive_filter_bytes(input.reader(), 0);
    const la_int64_t size = archive_entry_size(entry);
    contents_end.reset();
    if (at >= 0 && size >= 0 && archive_entry_sparse_count(entry) == 0) {
      contents_end = static_cast<std::uint64_t>(at) + static_cast<std::uint64_t>(size);
    }
  }

  [[nodiscard]] tl::unexpected<Error> error() const {
    return input.error(path.empty() ? "" : "after " + path + ": ", "it is no tar archive");
  }
};

LayerReader::LayerReader(Decompressor* from) : state_(std::make_unique<State>(from)) {
  archive_read_support_format_tar(state_->input.reader());
  archive_read_support_format_empty(state_->input.reader());
}

LayerReader::~LayerReader() = default;

Result<std::optional<LayerEntry>> LayerReader::next() {
  State& state = *state_;
  if (!state.opened) {
    state.opened = true;
    if (!state.input.open()) {
      return state.error();
    }
  }
  archive_entry* entry = nullptr;
  const int status = archive_read_next_header(state.input.reader(), &entry);
  if (status == ARCHIVE_EOF) {
    return std::optional<LayerEntry>();
  }
  if (status < ARCHIVE_WARN) {  // a warning is about what we do not take, as a user's name
    return state.error();
  }
  LayerEntry out = TRY(entry_of(entry));
  state.path = out.path;
  state.note_contents(entry);
  return std::optional(std::move(out));
}

Result<void> LayerReader::data(const Sink& sink) {
  State& state = *state_;
  for (;;) {
    const void* data = nullptr;
    std::size_t size = 0;
    la_int64_t offset = 0;
    const int status = archive_read_data_block(state.input.reader(), &data, &size, &offset);
    if (status == ARCHIVE_EOF) {
      return {};
    }
    if (status < ARCHIVE_WARN) {
      return state.error();
    }
    if (size != 0) {
      TRY(sink(static_cast<std::uint64_t>(offset), {static_cast<const std::byte*>(data), size}));
    }
  }
}

}  // namespace runhl::oci
