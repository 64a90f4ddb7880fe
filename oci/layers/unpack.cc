// SPDX-License-Identifier: Apache-2.0
#include "runhl/layers/unpack.h"

#include "decompressor.h"

namespace runhl::oci {

Result<void> unpack_blob(int fd, std::uint64_t compressed_size,
                         const std::function<Result<void>(std::span<const std::byte>)>& take) {
  FileBytes bytes(fd);
  Decompressor blob = TRY(Decompressor::open(&bytes, compressed_size));
  for (;;) {
    const std::span<const std::byte> piece = TRY(blob.read());
    if (piece.empty()) {
      return {};
    }
    TRY(take(piece));
  }
}

}  // namespace runhl::oci
