// SPDX-License-Identifier: Apache-2.0
// The JSON texts that describe this runtime to people and engines.
#pragma once

#include <string>

#include "runhl/base/result.h"

namespace runhl::oci {

/// What `runhl spec` writes into config.json: a shell on a terminal, as runc's. Rootless: the
/// caller's uid and gid as root of a user namespace, the caller's network, no cgroup limits.
Result<std::string> default_spec(bool rootless);

/// What `runhl features` prints. Source: runtime-spec, features.md.
std::string features_json();

}  // namespace runhl::oci
