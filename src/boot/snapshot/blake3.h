// SPDX-License-Identifier: Apache-2.0
// The digest of G1 snapshots, of content as it goes by.
//
//   Blake3 hash;
//   hash.update(bytes);
//   const Blake3Digest digest = hash.finish();
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <span>

namespace runhl::boot {

using Blake3Digest = std::array<std::byte, 32>;

class Blake3 {
 public:
  Blake3();
  Blake3(Blake3&&) noexcept;
  Blake3& operator=(Blake3&&) noexcept;
  Blake3(const Blake3&) = delete;
  Blake3& operator=(const Blake3&) = delete;
  ~Blake3();

  void update(std::span<const std::byte> bytes);
  [[nodiscard]] Blake3Digest finish() const;

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

}  // namespace runhl::boot
