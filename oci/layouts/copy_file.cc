// SPDX-License-Identifier: Apache-2.0
#include "copy_file.h"

#include <unistd.h>

#include <algorithm>
#include <vector>

namespace runhl::oci {

Result<void> for_each_piece(int fd,
                            const std::function<Result<void>(std::span<const std::byte>)>& take) {
  std::vector<std::byte> piece(256ULL << 10U);
  for (;;) {
    const ssize_t got = ::read(fd, piece.data(), piece.size());
    if (got < 0 && errno != EINTR) {
      return fail_errno("read");
    }
    if (got == 0) {
      return {};
    }
    if (got > 0) {
      TRY(take(std::span(piece).first(static_cast<std::size_t>(got))));
    }
  }
}

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
  return for_each_piece(from, [&](std::span<const std::byte> piece) -> Result<void> {
    while (!piece.empty()) {
      const ssize_t written = ::write(to, piece.data(), piece.size());
      if (written < 0 && errno != EINTR) {
        return fail_errno("copy " + what);
      }
      piece = piece.subspan(static_cast<std::size_t>(std::max<ssize_t>(written, 0)));
    }
    return {};
  });
}

}  // namespace runhl::oci
