// SPDX-License-Identifier: Apache-2.0
// linux.seccomp, judged. The guest does not run the filter. What an engine's default profile keeps
// a container from (the host kernel's rarer calls) holds anyway, since no call of the container
// reaches the host kernel. So a profile is accepted if it allows at least what the engines'
// defaults allow; one that forbids more would be a promise broken, and is refused.
#pragma once

#include "runhl/json/node.h"

namespace runhl::oci {

/// Error: names the first call that the profile forbids, and where.
Result<void> check_seccomp(const Node& seccomp, std::vector<std::string>* warnings);

}  // namespace runhl::oci
