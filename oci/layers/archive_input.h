// SPDX-License-Identifier: Apache-2.0
// One of libarchive's readers on bytes that come in pieces.
//
//   ArchiveInput input([&] { return bytes.read(); });
//   archive_read_support_…(input.reader());
//   if (!input.open()) return input.error("", "it is damaged");
#pragma once

#include <archive.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "runhl/base/result.h"

namespace runhl::oci {

class ArchiveInput {
 public:
  /// The next piece, valid until the next call; none at the end.
  using Read = std::function<Result<std::span<const std::byte>>()>;

  explicit ArchiveInput(Read read);
  ArchiveInput(const ArchiveInput&) = delete;  // the library knows where it is
  ArchiveInput& operator=(const ArchiveInput&) = delete;
  ArchiveInput(ArchiveInput&&) = delete;
  ArchiveInput& operator=(ArchiveInput&&) = delete;
  ~ArchiveInput() = default;

  [[nodiscard]] archive* reader() const { return reader_.get(); }
  /// Once formats and filters are chosen. False: see error().
  bool open();
  /// Why the library gave up: the error of `read`, else its own words, or `otherwise` where it has
  /// none, behind `context`.
  [[nodiscard]] tl::unexpected<Error> error(const std::string& context,
                                            const char* otherwise) const;

 private:
  static la_ssize_t take(archive* reader, void* self, const void** bytes);

  struct Close {
    void operator()(archive* reader) const { archive_read_free(reader); }
  };
  Read read_;
  std::unique_ptr<archive, Close> reader_{archive_read_new()};
  std::optional<Error> read_error_;  // what the library has no room for
};

}  // namespace runhl::oci
