// SPDX-License-Identifier: Apache-2.0
// A content's name: "sha256:" and 64 hexadecimal digits. It goes into paths, so nothing else is
// one.
//
//   const Digest digest = TRY(Digest::parse("sha256:e3b0…"));
#pragma once

#include <compare>
#include <string>
#include <string_view>

#include "runhl/base/result.h"

namespace runhl::oci {

class Digest {
 public:
  /// Errors: InvalidArgument (no digest), Unsupported (another algorithm than sha256).
  static Result<Digest> parse(std::string_view text);

  [[nodiscard]] const std::string& hex() const { return hex_; }  ///< 64 digits, lower case
  [[nodiscard]] std::string text() const { return "sha256:" + hex_; }
  friend auto operator<=>(const Digest&, const Digest&) = default;

 private:
  explicit Digest(std::string_view hex) : hex_(hex) {}
  std::string hex_;
};

}  // namespace runhl::oci
