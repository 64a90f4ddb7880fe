// SPDX-License-Identifier: Apache-2.0
// Files as wholes: what read(2) and write(2) do in parts, and again after a signal.
//
//   TRY(write_all(fd, text, path));                       // an error names `path`
//   const std::string text = TRY(read_up_to(fd, kMost + 1, path));
//   if (text.size() > kMost) …
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "runhl/base/result.h"

namespace runhl {

/// Where the descriptor stands. Errors: of the host, as `what`: reason.
Result<void> write_all(int fd, std::string_view bytes, std::string_view what);
/// At `offset`, wherever the descriptor stands.
Result<void> write_all_at(int fd, std::string_view bytes, std::uint64_t offset,
                          std::string_view what);

/// All of `to`, from `offset`. Errors: of the host; Io (the file ends before).
Result<void> read_all_at(int fd, std::span<std::byte> to, std::uint64_t offset,
                         std::string_view what);

/// From where the descriptor stands to the end, but no more than `most` bytes.
Result<std::string> read_up_to(int fd, std::size_t most, std::string_view what);
/// The same in pieces, however much it is. The first error of `take` ends it.
Result<void> for_each_piece(int fd, std::string_view what,
                            const std::function<Result<void>(std::span<const std::byte>)>& take);

inline std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace runhl
