// SPDX-License-Identifier: Apache-2.0
// Small files of an archive, by its index, as the guest finds them: before a container starts, its
// passwd says who the image's user is.
//
//   const std::string passwd = TRY(read_archived_file(archive_fd, "etc/passwd", 1 << 20));
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "runhl/base/result.h"

namespace runhl::initrd {

/// Symlinks are followed, within the archive. Errors: NotFound; InvalidArgument (no regular file,
/// larger than `most`, or an archive that contradicts itself).
Result<std::string> read_archived_file(int archive, std::string_view path, std::size_t most);

}  // namespace runhl::initrd
