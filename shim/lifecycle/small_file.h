// SPDX-License-Identifier: Apache-2.0
// Small files read whole, with a bound, and replaced whole, by rename.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <string>
#include <string_view>

#include "runhl/base/result.h"

namespace runhl::shim {

/// The regular file `name` beneath `directory`, at most `max_bytes`. Never blocks on a FIFO.
/// Errors: NotFound, Permission, InvalidArgument (no regular file, larger), Io; all name the file.
Result<std::string> read_file_at(int directory, const std::string& name, std::size_t max_bytes);

/// Writes "<name>.tmp" and renames it over `name`, without fsync. `directory` may be AT_FDCWD.
Result<void> replace_file_at(int directory, const std::string& name, std::string_view content,
                             mode_t mode);

}  // namespace runhl::shim
