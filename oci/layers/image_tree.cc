// SPDX-License-Identifier: Apache-2.0
#include "runhl/layers/image_tree.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <clocale>
#include <vector>

#include "decompressor.h"
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

}  // namespace

struct ImageTree::State {
  State(Spool bytes, ImageLimits most) : spool(std::move(bytes)), limits(most) {}

  initrd::Tree tree;
  Merge merge{&tree};
  Spool spool;
  ImageLimits limits;
  std::uint64_t entries = 0, name_bytes = 0;
  std::vector<std::uint64_t> offsets;  // in the spool, by inode - 1; of files

  Result<void> count(const LayerEntry& entry);
  Result<void> take(LayerEntry entry, LayerReader* reader);
};

Result<void> ImageTree::State::count(const LayerEntry& entry) {
  name_bytes += bytes_of_names(entry);
  if (++entries > limits.entries) {
    return fail(ErrorCode::InvalidArgument,
                "the image has more than " + std::to_string(limits.entries) + " entries");
  }
  if (name_bytes > limits.name_bytes) {
    return fail(ErrorCode::InvalidArgument, "the image's names and attributes are longer than " +
                                                std::to_string(limits.name_bytes) + " bytes");
  }
  return {};
}

Result<void> ImageTree::State::take(LayerEntry entry, LayerReader* reader) {
  TRY(count(entry));
  if (entry.hard_link) {
    return merge.link(entry.path, *entry.hard_link);
  }
  const std::uint64_t size = entry.inode.size;
  const bool has_bytes = S_ISREG(entry.inode.mode) && size != 0;
  const initrd::InodeNumber inode = TRY(merge.add(entry.path, std::move(entry.inode)));
  if (inode == 0 || !has_bytes) {
    return {};
  }
  const std::uint64_t begin = spool.begin_file(size);
  offsets.resize(inode);
  offsets[inode - 1] = begin;
  TRY(reader->data([&](std::uint64_t offset, std::span<const std::byte> bytes) -> Result<void> {
    if (offset > size || bytes.size() > size - offset) {
      return fail(ErrorCode::InvalidArgument, entry.path + ": has more bytes than it says");
    }
    return spool.write(begin + offset, bytes);
  }));
  spool.end_file();
  return {};
}

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

Result<void> ImageTree::add_layer(int blob, std::uint64_t compressed_size, const Digest& diff_id) {
  Decompressor unpacked = TRY(Decompressor::open(blob, compressed_size));
  state_->merge.begin_layer();
  {
    LayerReader reader(&unpacked);
    while (std::optional<LayerEntry> entry = TRY(reader.next())) {
      TRY(state_->take(std::move(*entry), &reader));
    }
  }
  TRY(state_->spool.finish());
  return unpacked.finish(diff_id);
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
