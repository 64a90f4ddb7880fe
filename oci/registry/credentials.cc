// SPDX-License-Identifier: Apache-2.0
#include "credentials.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <vector>

#include "helper.h"
#include "runhl/base/file_io.h"
#include "runhl/base/unique_fd.h"
#include "runhl/json/node.h"

namespace runhl::oci {
namespace {

constexpr std::size_t kMaxFile = 4ULL << 20U;

std::string environment(const char* name) {
  const char* const value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): before threads
  return value == nullptr ? "" : value;
}

Result<std::optional<Credentials>> stored(const Node& entry) {
  const std::string packed = TRY(entry.string_or("auth"));
  std::string token = TRY(entry.string_or("identitytoken"));
  if (packed.empty()) {
    Credentials plain;
    plain.user = TRY(entry.string_or("username"));
    plain.secret = TRY(entry.string_or("password"));
    plain.identity_token = std::move(token);
    return plain.user.empty() && plain.identity_token.empty() ? std::nullopt
                                                              : std::optional(std::move(plain));
  }
  const std::optional<std::string> text = decode_base64(packed);
  const std::size_t colon = text ? text->find(':') : std::string::npos;
  if (colon == std::string::npos) {
    return entry.member("auth")->refuse("is no base64 of user:password");
  }
  return std::optional(Credentials{.user = text->substr(0, colon),
                                   .secret = text->substr(colon + 1),
                                   .identity_token = std::move(token)});
}

}  // namespace

std::vector<std::string> credential_files() {
  std::vector<std::string> out;
  const std::string podman = environment("REGISTRY_AUTH_FILE"), home = environment("HOME"),
                    docker = environment("DOCKER_CONFIG"), runtime = environment("XDG_RUNTIME_DIR");
  if (!podman.empty()) {
    out.push_back(podman);
  }
  if (!docker.empty()) {
    out.push_back(docker + "/config.json");
  } else if (!home.empty()) {
    out.push_back(home + "/.docker/config.json");
  }
  if (!runtime.empty()) {
    out.push_back(runtime + "/containers/auth.json");
  }
  return out;
}

Result<std::string> read_credential_file(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) {
    return errno == ENOENT || errno == ENOTDIR ? Result<std::string>("") : fail_errno(path);
  }
  return read_up_to(fd.get(), kMaxFile, path);
}

std::vector<std::string> credential_keys(const std::string& domain) {
  if (domain == "docker.io") {
    return {"https://index.docker.io/v1/", "docker.io", "index.docker.io"};
  }
  return {domain, "https://" + domain, "https://" + domain + "/", "http://" + domain};
}

Result<CredentialSource> parse_credentials(std::string_view config, const std::string& domain) {
  const Value document = TRY(parse_json(config));
  const Node root(document);
  TRY(root.as_object());
  CredentialSource out;
  if (const auto helpers = TRY(root.object("credHelpers"))) {
    out.helper = TRY(helpers->string_or(domain));
  }
  if (!out.helper.empty()) {
    return out;
  }
  if (const auto auths = TRY(root.object("auths"))) {
    for (const std::string& key : credential_keys(domain)) {
      const std::optional<Node> entry = TRY(auths->object(key));
      if (entry && !out.credentials) {
        out.credentials = TRY(stored(*entry));
      }
    }
  }
  if (!out.credentials) {
    out.helper = TRY(root.string_or("credsStore"));
  }
  return out;
}

Result<std::string> parse_helper(std::string_view config, const std::string& domain) {
  const Value document = TRY(parse_json(config));
  const Node root(document);
  TRY(root.as_object());
  std::string helper = TRY(root.string_or("credsStore"));
  if (const auto helpers = TRY(root.object("credHelpers"))) {
    helper = TRY(helpers->string_or(domain, helper));
  }
  return helper;
}

Result<std::optional<Credentials>> find_credentials(const std::string& domain) {
  for (const std::string& path : credential_files()) {
    const std::string text = TRY(read_credential_file(path));
    if (text.empty()) {
      continue;
    }
    CredentialSource source = TRY(with_context(path, parse_credentials(text, domain)));
    if (!source.helper.empty()) {
      source.credentials = TRY(ask_helper(source.helper, credential_keys(domain).front()));
    }
    if (source.credentials) {
      return source.credentials;
    }
  }
  return std::optional<Credentials>();
}

}  // namespace runhl::oci
