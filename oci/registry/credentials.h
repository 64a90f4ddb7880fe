// SPDX-License-Identifier: Apache-2.0
// Who we are to a registry: docker's config.json ($DOCKER_CONFIG, ~/.docker), podman's auth.json
// ($REGISTRY_AUTH_FILE, $XDG_RUNTIME_DIR/containers), and the credential helpers that they name.
//
//   const auto who = TRY(find_credentials("ghcr.io"));    // none: anonymous
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runhl/base/result.h"

namespace runhl::oci {

struct Credentials {
  std::string user, secret;
  /// Instead of the secret: what a registry's token service gave for it.
  std::string identity_token{};  // NOLINT(readability-redundant-member-init)
};

/// Errors: InvalidArgument (the file), Permission (a helper that does not answer).
Result<std::optional<Credentials>> find_credentials(const std::string& domain);

/// What such a file says of a registry: credentials, or the helper that has them.
struct CredentialSource {
  std::optional<Credentials> credentials = std::nullopt;
  std::string helper;  // docker-credential-NAME
};
Result<CredentialSource> parse_credentials(std::string_view config, const std::string& domain);
/// The helper that keeps this registry's credentials; empty: the file does.
Result<std::string> parse_helper(std::string_view config, const std::string& domain);

/// The files in the order in which they are asked; log_in writes to the first.
std::vector<std::string> credential_files();
/// Empty where there is none.
Result<std::string> read_credential_file(const std::string& path);
/// As the files call a registry, the usual name first: docker.io has an old address there.
std::vector<std::string> credential_keys(const std::string& domain);

std::string encode_base64(std::string_view bytes);
/// None: is no base64.
std::optional<std::string> decode_base64(std::string_view text);

}  // namespace runhl::oci
