// SPDX-License-Identifier: Apache-2.0
#include "runhl/layouts/transport.h"

namespace runhl::oci {

Result<Transport> Transport::parse(std::string_view text) {
  constexpr std::string_view kOci = "oci:", kArchive = "docker-archive:";
  Transport out;
  if (text.starts_with(kOci)) {
    text.remove_prefix(kOci.size());
    const std::size_t colon = text.find(':');
    out.path = text.substr(0, colon);
    out.ref = colon == std::string_view::npos ? std::string_view() : text.substr(colon + 1);
  } else if (text.starts_with(kArchive)) {
    out.kind = Kind::DockerArchive;
    out.path = text.substr(kArchive.size());
  }
  if (out.path.empty()) {
    return fail(ErrorCode::InvalidArgument,
                "\"" + std::string(text) + "\" is neither oci:DIR[:REF] nor docker-archive:FILE");
  }
  return out;
}

}  // namespace runhl::oci
