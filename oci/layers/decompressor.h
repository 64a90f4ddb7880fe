// SPDX-License-Identifier: Apache-2.0
// What a layer's blob is when it is unpacked, piece by piece, and the digest of all of it. gzip,
// zstd and no compression are told apart by their first bytes, as the engines do.
//
//   Decompressor layer = TRY(Decompressor::open(&bytes, blob_size));
//   while (!(piece = TRY(layer.read())).empty()) …
//   TRY(layer.finish(diff_id));
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "runhl/base/result.h"
#include "runhl/blobs/byte_source.h"
#include "runhl/reference/digest.h"

namespace runhl::oci {

class Decompressor {
 public:
  /// `from`, borrowed, gives all of the blob. Errors: the source's; those of read().
  static Result<Decompressor> open(ByteSource* from, std::uint64_t compressed_size);
  Decompressor(Decompressor&&) noexcept;
  Decompressor& operator=(Decompressor&&) noexcept;
  Decompressor(const Decompressor&) = delete;
  Decompressor& operator=(const Decompressor&) = delete;
  ~Decompressor();

  /// The next bytes, valid until the next call; none at the end. Errors: InvalidArgument (cut off,
  /// damaged, or far larger than any file is).
  Result<std::span<const std::byte>> read();
  /// Reads what is left. Errors: InvalidArgument (the content is not the expected one).
  Result<void> finish(const Digest& expected);

 private:
  struct State;
  explicit Decompressor(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace runhl::oci
