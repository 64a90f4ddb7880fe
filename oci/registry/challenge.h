// SPDX-License-Identifier: Apache-2.0
// What a registry asks for when it answers 401.
//
//   WWW-Authenticate: Bearer realm="https://ghcr.io/token",service="ghcr.io",scope="…"
//
// Source: RFC 9110 §11.6.1; distribution's "Token Authentication Specification".
#pragma once

#include <string>
#include <string_view>

#include "runhl/base/result.h"

namespace runhl::oci {

struct Challenge {
  enum class Scheme : std::uint8_t { Basic, Bearer };
  Scheme scheme = Scheme::Basic;
  std::string realm, service, scope;

  /// Errors: Unsupported (neither of the two).
  static Result<Challenge> parse(std::string_view header);
};

}  // namespace runhl::oci
