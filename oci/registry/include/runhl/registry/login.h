// SPDX-License-Identifier: Apache-2.0
// Credentials for later: tried at the registry, then kept as docker keeps them, in config.json or
// by the credential helper that it names.
//
//   const LoggedIn done = TRY(log_in("ghcr.io", "me", password, {}));
//   TRY(log_out("ghcr.io"));
#pragma once

#include <string>
#include <vector>

#include "runhl/base/result.h"
#include "runhl/registry/client.h"

namespace runhl::oci {

struct LoggedIn {
  std::string kept_in;  ///< the file, or the helper
};

/// Errors: Permission (the registry does not take them; nothing is kept).
Result<LoggedIn> log_in(const std::string& domain, const std::string& user,
                        const std::string& password, const ClientOptions& options);

struct LoggedOut {
  bool was_in = false;
  /// Files of other programs, untouched, that know credentials for the registry too.
  std::vector<std::string> still_in;
};
Result<LoggedOut> log_out(const std::string& domain);

}  // namespace runhl::oci
