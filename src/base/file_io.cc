// SPDX-License-Identifier: Apache-2.0
#include "runhl/base/file_io.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

namespace runhl {
namespace {

/// `put(rest)` as write(2): how much of it was taken.
template <typename Put>
Result<void> put_all(std::string_view bytes, std::string_view what, Put&& put) {
  while (!bytes.empty()) {
    const ssize_t done = put(bytes);
    if (done < 0 && errno != EINTR) {
      return fail_errno(what);
    }
    bytes.remove_prefix(static_cast<std::size_t>(std::max<ssize_t>(done, 0)));
  }
  return {};
}

}  // namespace

Result<void> write_all(int fd, std::string_view bytes, std::string_view what) {
  return put_all(bytes, what,
                 [fd](std::string_view rest) { return ::write(fd, rest.data(), rest.size()); });
}

Result<void> write_all_at(int fd, std::string_view bytes, std::uint64_t offset,
                          std::string_view what) {
  const char* const begin = bytes.data();
  return put_all(bytes, what, [=](std::string_view rest) {
    const std::uint64_t at = offset + static_cast<std::uint64_t>(rest.data() - begin);
    return ::pwrite(fd, rest.data(), rest.size(), static_cast<off_t>(at));
  });
}

Result<void> read_all_at(int fd, std::span<std::byte> to, std::uint64_t offset,
                         std::string_view what) {
  while (!to.empty()) {
    const ssize_t got = ::pread(fd, to.data(), to.size(), static_cast<off_t>(offset));
    if (got < 0 && errno != EINTR) {
      return fail_errno(what);
    }
    if (got == 0) {
      return fail(ErrorCode::Io, std::string(what) + ": became shorter while it was read");
    }
    const std::size_t done = static_cast<std::size_t>(std::max<ssize_t>(got, 0));
    to = to.subspan(done);
    offset += done;
  }
  return {};
}

Result<std::string> read_up_to(int fd, std::size_t most, std::string_view what) {
  constexpr std::size_t kFirst = 4096, kLeast = 1024, kLargest = 256ULL << 10U;
  std::string text;
  while (text.size() < most) {
    const std::size_t size = text.size(), room = text.capacity() - size;
    // What is left of a small file's room is enough to see its end.
    text.resize(size +
                std::min(most - size, room >= kLeast ? room : std::clamp(size, kFirst, kLargest)));
    const ssize_t got = ::read(fd, text.data() + size, text.size() - size);
    text.resize(size + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    if (got < 0 && errno != EINTR) {
      return fail_errno(what);
    }
    if (got == 0) {
      break;
    }
  }
  return text;
}

Result<void> for_each_piece(int fd, std::string_view what,
                            const std::function<Result<void>(std::span<const std::byte>)>& take) {
  std::vector<std::byte> piece(256ULL << 10U);
  for (;;) {
    const ssize_t got = ::read(fd, piece.data(), piece.size());
    if (got < 0 && errno != EINTR) {
      return fail_errno(what);
    }
    if (got == 0) {
      return {};
    }
    if (got > 0) {
      TRY(take(std::span(piece).first(static_cast<std::size_t>(got))));
    }
  }
}

}  // namespace runhl
