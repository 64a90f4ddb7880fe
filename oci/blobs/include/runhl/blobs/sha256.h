// SPDX-License-Identifier: Apache-2.0
// The digest of content as it goes by.
//
//   Sha256 hash;
//   hash.update(bytes);
//   const Digest digest = hash.finish();
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

#include "runhl/reference/digest.h"

namespace runhl::oci {

class Sha256 {
 public:
  Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;
  ~Sha256();

  void update(std::span<const std::byte> bytes);
  /// Once, as the last call.
  [[nodiscard]] Digest finish();

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

Digest digest_of(std::string_view text);

/// Of all of a file, from its beginning.
Result<Digest> digest_of_file(int fd);

}  // namespace runhl::oci
