// SPDX-License-Identifier: Apache-2.0
#include "runhl/layers/image_tree.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <clocale>
#include <deque>

#include "decompressor.h"
#include "layer_index.h"
#include "layer_reader.h"
#include "merge.h"
#include "spool.h"

namespace runhl::oci {
namespace {

std::uint64_t bytes_of_names(const LayerEntry& entry) {
  std::uint64_t bytes = entry.path.size() + entry.inode.target.size();
  for (const initrd::Xattr& xattr : entry.inode.xattrs) {
    bytes += xattr.name.size() + xattr.value.size();
  }
  return bytes;
}

class EntryCount {
 public:
  explicit EntryCount(ImageLimits most) : most_(most) {}

  Result<void> add(const LayerEntry& entry) {
    name_bytes_ += bytes_of_names(entry);
    if (++entries_ > most_.entries) {
      return fail(ErrorCode::InvalidArgument,
                  "the image has more than " + std::to_string(most_.entries) + " entries");
    }
    if (name_bytes_ > most_.name_bytes) {
      return fail(ErrorCode::InvalidArgument, "the image's names and attributes are longer than " +
                                                  std::to_string(most_.name_bytes) + " bytes");
    }
    return {};
  }

 private:
  ImageLimits most_;
  std::uint64_t entries_ = 0, name_bytes_ = 0;
};

bool has_bytes(const LayerEntry& entry) {
  return !entry.hard_link && S_ISREG(entry.inode.mode) && entry.inode.size != 0;
}

/// The bytes of the reader's entry into the spool: where the first one is.
Result<std::uint64_t> spool_file(const LayerEntry& entry, LayerReader* reader, SpoolWriter* spool) {
  const std::uint64_t size = entry.inode.size, begin = spool->begin_file(size);
  TRY(reader->data([&](std::uint64_t offset, std::span<const std::byte> bytes) -> Result<void> {
    if (offset > size || bytes.size() > size - offset) {
      return fail(ErrorCode::InvalidArgument, entry.path + ": has more bytes than it says");
    }
    return spool->write(begin + offset, bytes);
  }));
  return begin;
}

}  // namespace

struct ImageTree::State {
  State(Spool bytes, ImageLimits most) : spool(std::move(bytes)), limits(most), count(most) {}

  initrd::Tree tree;
  Merge merge{&tree};
  Spool spool;
  ImageLimits limits;
  EntryCount count;                   // of what was added
  std::deque<std::uint64_t> offsets;  // in the spool, by inode - 1; of files
};

ImageTree::ImageTree(std::unique_ptr<State> state) : state_(std::move(state)) {}
ImageTree::ImageTree(ImageTree&&) noexcept = default;
ImageTree& ImageTree::operator=(ImageTree&&) noexcept = default;
ImageTree::~ImageTree() = default;

Result<ImageTree> ImageTree::create(const std::string& spool_directory, ImageLimits limits) {
  // Names are bytes. The library converts those that an archive calls UTF-8 to what the locale
  // has: only this one leaves all of them as they are.
  if (std::setlocale(LC_CTYPE, "C.UTF-8") == nullptr) {  // NOLINT(concurrency-mt-unsafe)
    return fail(ErrorCode::Unsupported, "this system has no locale C.UTF-8");
  }
  return ImageTree(std::make_unique<State>(TRY(Spool::create(spool_directory)), limits));
}

Result<UnpackedLayer> ImageTree::unpack(ByteSource& blob, std::uint64_t compressed_size,
                                        const Digest& diff_id) {
  Decompressor unpacked = TRY(Decompressor::open(&blob, compressed_size));
  SpoolWriter files(&state_->spool);
  IndexWriter index(&state_->spool);
  EntryCount count(state_->limits);
  {
    LayerReader reader(&unpacked);
    while (std::optional<LayerEntry> entry = TRY(reader.next())) {
      TRY(count.add(*entry));
      TRY(index.add(*entry, has_bytes(*entry) ? TRY(spool_file(*entry, &reader, &files)) : 0));
    }
  }
  TRY(files.flush());
  UnpackedLayer layer = TRY(index.finish());
  TRY(unpacked.finish(diff_id));
  return layer;
}

Result<void> ImageTree::add_layer(const UnpackedLayer& layer) {
  TRY(state_->spool.finish());
  state_->merge.begin_layer();
  IndexReader reader(state_->spool, layer);
  while (std::optional<IndexReader::Row> row = TRY(reader.next())) {
    LayerEntry& entry = row->entry;
    TRY(state_->count.add(entry));
    if (entry.hard_link) {
      TRY(state_->merge.link(entry.path, *entry.hard_link));
      continue;
    }
    const bool in_spool = has_bytes(entry);
    const initrd::InodeNumber inode = TRY(state_->merge.add(entry.path, std::move(entry.inode)));
    if (inode != 0 && in_spool) {
      state_->offsets.resize(inode);
      state_->offsets[inode - 1] = row->data_at;
    }
  }
  return {};
}

const initrd::Tree& ImageTree::tree() const {
  return state_->tree;
}

Result<initrd::FileSource::Opened> ImageTree::open(initrd::InodeNumber inode) {
  UniqueFd fd(::fcntl(state_->spool.fd(), F_DUPFD_CLOEXEC, 0));
  if (!fd) {
    return fail_errno("the spool");
  }
  return Opened{.fd = std::move(fd), .offset = state_->offsets.at(inode - 1)};
}

}  // namespace runhl::oci
