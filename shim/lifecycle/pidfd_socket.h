// SPDX-License-Identifier: Apache-2.0
// --pidfd-socket: a caller that wants to watch the container without a pid.
#pragma once

#include <string>

#include "runhl/base/result.h"

namespace runhl::shim {

/// Connects to the unix stream socket `path` and sends one message with a pidfd of `pid`, which is
/// a child of ours. Errors: NotFound, Permission (names the path).
Result<void> send_pidfd(const std::string& path, int pid);

}  // namespace runhl::shim
