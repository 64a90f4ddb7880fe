// SPDX-License-Identifier: Apache-2.0
#include "boot/snapshot/blake3.h"

#include <blake3.h>

namespace runhl::boot {

struct Blake3::Context {
  blake3_hasher hasher;
};

Blake3::Blake3() : context_(std::make_unique<Context>()) {
  ::blake3_hasher_init(&context_->hasher);
}
Blake3::Blake3(Blake3&&) noexcept = default;
Blake3& Blake3::operator=(Blake3&&) noexcept = default;
Blake3::~Blake3() = default;

void Blake3::update(std::span<const std::byte> bytes) {
  ::blake3_hasher_update(&context_->hasher, bytes.data(), bytes.size());
}

Blake3Digest Blake3::finish() const {
  static_assert(sizeof(Blake3Digest) == BLAKE3_OUT_LEN);
  Blake3Digest digest{};
  ::blake3_hasher_finalize(&context_->hasher, reinterpret_cast<std::uint8_t*>(digest.data()),
                           digest.size());
  return digest;
}

}  // namespace runhl::boot
