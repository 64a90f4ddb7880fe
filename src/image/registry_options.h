// SPDX-License-Identifier: Apache-2.0
// What pull, push and login have in common on the command line and in what they print.
#pragma once

#include <string>
#include <string_view>

#include "options.h"
#include "output.h"
#include "runhl/base/number.h"
#include "runhl/image/documents.h"
#include "runhl/registry/client.h"

namespace runhl::image {

struct RegistryOptions {
  oci::ClientOptions client;
  std::string stall_timeout;

  /// @param danger what whoever is on the way can do without TLS
  void declare(Options& options, std::string_view danger) {
    options.value("--hosts-dir", "of hosts.toml files (default /etc/containerd/certs.d)",
                  &client.hosts_directory);
    options.value("--stall-timeout",
                  "seconds that less than 1 KiB/s may come before it is tried anew (default 30)",
                  &stall_timeout);
    options.flag("--plain-http", "without TLS; whoever is on the way can " + std::string(danger),
                 &client.plain_http);
  }
  /// Once the options were parsed. Errors: InvalidArgument.
  Result<void> finish() {
    if (stall_timeout.empty()) {
      return {};
    }
    constexpr int kMost = 86'400;
    const auto seconds = whole_number<int>(stall_timeout);
    if (!seconds || *seconds < 1 || *seconds > kMost) {
      return fail(ErrorCode::InvalidArgument,
                  "--stall-timeout: \"" + stall_timeout + "\" is no number of seconds");
    }
    client.stall_timeout = std::chrono::seconds(*seconds);
    return {};
  }
};

/// A blob's line on standard output.
inline void print_blob(const oci::Descriptor& blob, std::string_view state) {
  (void)print(blob.digest.hex().substr(0, 12) + ": " + std::string(state) + ", " +
              std::to_string(blob.size) + " bytes\n");
}

}  // namespace runhl::image
