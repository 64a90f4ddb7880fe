// SPDX-License-Identifier: Apache-2.0
// Where a registry's content is had from, as containerd is told: DIR/HOST/hosts.toml names mirrors,
// authorities and registries without TLS.
//
//   const RegistryHosts hosts = TRY(parse_hosts(text));     // mirrors in the file's order
//
// Source: containerd, docs/hosts.md.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runhl/base/result.h"

namespace runhl::oci {

struct RegistryHost {
  std::string url;  ///< of the API, with scheme and without a slash at the end
  bool resolves = true, pulls = true, pushes = true;
  bool skip_verify = false;
  std::vector<std::string> ca_files{};         // NOLINT(readability-redundant-member-init)
  std::string client_certificate, client_key;  ///< files; the key may be in the first
  std::optional<std::chrono::milliseconds> dial_timeout = std::nullopt;
  std::vector<std::string> headers{};  // NOLINT(readability-redundant-member-init)
};

struct RegistryHosts {
  std::vector<RegistryHost> mirrors;
  /// The registry itself; its url is empty where the file does not say it.
  RegistryHost server;
};

/// Paths in it are as they are written. Errors: InvalidArgument, with the line.
Result<RegistryHosts> parse_hosts(std::string_view text);

/// Reads the first of DIR/HOST_PORT_, DIR/HOST:PORT and DIR/_default that has a hosts.toml;
/// relative paths in it become the directory's. None: there is no such file.
Result<std::optional<RegistryHosts>> find_hosts(const std::string& directory,
                                                const std::string& domain);

/// Of containerd's: an ordinary user's own if there is one, else the machine's.
std::string default_hosts_directory();

}  // namespace runhl::oci
