// SPDX-License-Identifier: Apache-2.0
// What `ps` shows of this process.
#pragma once

#include <string_view>

namespace runhl::shim {

/// Overwrites the process's arguments and environment in place: the title shows instead, and what a
/// caller's environment held is gone. getenv finds nothing afterwards.
void set_process_title(std::string_view title);

}  // namespace runhl::shim
