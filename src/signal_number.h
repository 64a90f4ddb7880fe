// SPDX-License-Identifier: Apache-2.0
// Signals as people and engines write them.
#pragma once

#include <string>

#include "runhl/base/result.h"

namespace runhl {

/// "9", "KILL", "SIGKILL", "sigkill", "RTMIN+3". Errors: InvalidArgument "unknown signal …".
Result<int> parse_signal(const std::string& text);

}  // namespace runhl
