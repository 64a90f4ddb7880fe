// SPDX-License-Identifier: Apache-2.0
// An image's layers, one upon the other, as what an archive is written from.
//
//   ImageTree image = TRY(ImageTree::create(spool_directory));
//   unpacked = TRY(image.unpack(bytes, size, diff_id));           // each layer, in any thread
//   TRY(image.add_layer(unpacked));                               // each, the lowest first
//   TRY(initrd::write_archive(image.tree(), image, out_fd));
//
// Layers come from outside. Memory is bounded by the number of entries of the merged tree and the
// length of their names, both limited; a file's bytes, and what the entries of a layer say until
// it is added, go to the disk as they come.
//
// Not kept: what tar cannot say of a file (times but the last change's) and POSIX ACLs in star's
// own notation, which no engine writes; as extended attributes they are kept.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "runhl/base/result.h"
#include "runhl/blobs/byte_source.h"
#include "runhl/initrd/archive.h"
#include "runhl/initrd/tree.h"
#include "runhl/reference/digest.h"

namespace runhl::oci {

struct ImageLimits {
  std::uint64_t entries = 4'000'000;         // in all layers
  std::uint64_t name_bytes = 512ULL << 20U;  // of paths, targets and extended attributes
};

/// A layer that was read and found good: where in the spool its entries are told of.
struct UnpackedLayer {
  struct Part {
    std::uint64_t at = 0, size = 0;
  };
  std::vector<Part> index;
};

class ImageTree final : public initrd::FileSource {
 public:
  /// `spool_directory`: where the bytes of files wait, without a name.
  static Result<ImageTree> create(const std::string& spool_directory, ImageLimits limits = {});
  ImageTree(ImageTree&&) noexcept;
  ImageTree& operator=(ImageTree&&) noexcept;
  ImageTree(const ImageTree&) = delete;
  ImageTree& operator=(const ImageTree&) = delete;
  ~ImageTree() override;

  /// Any thread, each with a blob of its own. Errors: InvalidArgument (the layer, one line that
  /// names the entry), Io (disk full), the blob's.
  Result<UnpackedLayer> unpack(ByteSource& blob, std::uint64_t compressed_size,
                               const Digest& diff_id);
  /// The next one up. Not while others are unpacked. Errors: InvalidArgument, as above; Io.
  Result<void> add_layer(const UnpackedLayer& layer);

  [[nodiscard]] const initrd::Tree& tree() const;
  Result<Opened> open(initrd::InodeNumber inode) override;

 private:
  struct State;
  explicit ImageTree(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace runhl::oci
