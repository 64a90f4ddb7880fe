// SPDX-License-Identifier: Apache-2.0
// A directory of this user's that decides what containers run: whoever can write there could put a
// program of theirs into a container.
//
//   UniqueFd store = TRY(open_owned_directory("/var/lib/runhl/store"));
#pragma once

#include <string>

#include "runhl/base/result.h"
#include "runhl/base/unique_fd.h"

namespace runhl {

/// Makes it, for its owner alone, where it is missing. Permission: it belongs to somebody else, or
/// others may write to it.
Result<UniqueFd> open_owned_directory(const std::string& path);

/// Of an ordinary user: `below` beneath the directory that `variable` names, else beneath
/// $HOME/`in_home`.
Result<std::string> user_directory(const char* variable, const std::string& in_home,
                                   const std::string& below);

}  // namespace runhl
