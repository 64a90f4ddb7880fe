// SPDX-License-Identifier: Apache-2.0
// An image's layers, one upon the other, as what an archive is written from.
//
//   ImageTree image = TRY(ImageTree::create(spool_directory));
//   for (layer : layers) TRY(image.add_layer(blob_fd, size, diff_id));     // the lowest first
//   TRY(initrd::write_archive(image.tree(), image, out_fd));
//
// Layers come from outside. Memory is bounded by the number of entries and the length of their
// names, both limited; a file's bytes go to the disk as they come.
//
// Not kept: what tar cannot say of a file (times but the last change's) and POSIX ACLs in star's
// own notation, which no engine writes; as extended attributes they are kept.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "runhl/base/result.h"
#include "runhl/initrd/archive.h"
#include "runhl/initrd/tree.h"
#include "runhl/reference/digest.h"

namespace runhl::oci {

struct ImageLimits {
  std::uint64_t entries = 4'000'000;         // in all layers
  std::uint64_t name_bytes = 512ULL << 20U;  // of paths, targets and extended attributes
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

  /// `blob` stands at its beginning. Errors: InvalidArgument (the layer, one line that names the
  /// entry), Io (disk full).
  Result<void> add_layer(int blob, std::uint64_t compressed_size, const Digest& diff_id);

  [[nodiscard]] const initrd::Tree& tree() const;
  Result<Opened> open(initrd::InodeNumber inode) override;

 private:
  struct State;
  explicit ImageTree(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace runhl::oci
