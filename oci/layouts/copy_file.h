// SPDX-License-Identifier: Apache-2.0
// All bytes of a file, to somewhere.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>

#include "runhl/base/result.h"

namespace runhl::oci {

/// From where the file stands to its end.
Result<void> for_each_piece(int fd,
                            const std::function<Result<void>(std::span<const std::byte>)>& take);

/// To a file, within the host's kernel where it can.
Result<void> copy_file(int from, int to, const std::string& what);

}  // namespace runhl::oci
