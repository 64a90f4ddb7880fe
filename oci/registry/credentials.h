// SPDX-License-Identifier: Apache-2.0
// Who we are to a registry: docker's config.json ($DOCKER_CONFIG, ~/.docker), podman's auth.json
// ($REGISTRY_AUTH_FILE, $XDG_RUNTIME_DIR/containers), and the credential helpers that they name.
//
//   const auto who = TRY(find_credentials("ghcr.io"));    // none: anonymous
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "runhl/base/result.h"

namespace runhl::oci {

struct Credentials {
  std::string user, secret;
};

/// Errors: InvalidArgument (the file), Permission (a helper that does not answer).
Result<std::optional<Credentials>> find_credentials(const std::string& domain);

/// What such a file says of a registry: credentials, or the helper that has them.
struct CredentialSource {
  std::optional<Credentials> credentials = std::nullopt;
  std::string helper;  // docker-credential-NAME
};
Result<CredentialSource> parse_credentials(std::string_view config, const std::string& domain);

std::string encode_base64(std::string_view bytes);
/// None: is no base64.
std::optional<std::string> decode_base64(std::string_view text);

}  // namespace runhl::oci
