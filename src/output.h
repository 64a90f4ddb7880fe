// SPDX-License-Identifier: Apache-2.0
// What a command prints for people and engines: whole, or an error.
#pragma once

#include <string_view>

#include "runhl/base/result.h"

namespace runhl {

/// Writes all of `text` to standard output. Errors: Io (a full disk, a closed pipe).
Result<void> print(std::string_view text);

}  // namespace runhl
