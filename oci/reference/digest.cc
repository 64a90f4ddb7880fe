// SPDX-License-Identifier: Apache-2.0
#include "runhl/reference/digest.h"

namespace runhl::oci {

Result<Digest> Digest::parse(std::string_view text) {
  constexpr std::size_t kHexDigits = 64;
  constexpr std::string_view kSha256 = "sha256:", kSha512 = "sha512:";
  constexpr std::string_view kDigits = "0123456789abcdef";
  if (text.starts_with(kSha512)) {
    return fail(ErrorCode::Unsupported, "digests by sha512 are not supported, only by sha256");
  }
  const bool right = text.starts_with(kSha256) && text.size() == kSha256.size() + kHexDigits &&
                     text.find_first_not_of(kDigits, kSha256.size()) == std::string_view::npos;
  if (!right) {
    return fail(ErrorCode::InvalidArgument,
                "is no digest (sha256: and 64 hexadecimal digits in lower case)");
  }
  return Digest(text.substr(kSha256.size()));
}

}  // namespace runhl::oci
