// SPDX-License-Identifier: Apache-2.0
#include "copy_file.h"

#include <unistd.h>

#include "runhl/base/file_io.h"

namespace runhl::oci {

Result<void> copy_file(int from, int to, const std::string& what) {
  for (;;) {
    const ssize_t copied = ::copy_file_range(from, nullptr, to, nullptr, 1ULL << 30U, 0);
    if (copied == 0) {
      return {};
    }
    if (copied < 0 &&
        (errno == EXDEV || errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP)) {
      break;  // not between these file systems
    }
    if (copied < 0 && errno != EINTR) {
      return fail_errno("copy " + what);
    }
  }
  return for_each_piece(from, "read", [&](std::span<const std::byte> piece) {
    return write_all(to, as_text(piece), "copy " + what);
  });
}

}  // namespace runhl::oci
