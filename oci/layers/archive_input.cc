// SPDX-License-Identifier: Apache-2.0
#include "archive_input.h"

#include <utility>

namespace runhl::oci {

ArchiveInput::ArchiveInput(Read read) : read_(std::move(read)) {
  RUNHL_CHECK(reader_ != nullptr);
}

bool ArchiveInput::open() {
  return archive_read_open(reader_.get(), this, nullptr, take, nullptr) >= ARCHIVE_OK;
}

tl::unexpected<Error> ArchiveInput::error(const std::string& context, const char* otherwise) const {
  if (read_error_) {
    return tl::unexpected(*read_error_);
  }
  const char* const why = archive_error_string(reader_.get());
  return fail(ErrorCode::InvalidArgument, context + (why != nullptr ? why : otherwise));
}

la_ssize_t ArchiveInput::take(archive* /*reader*/, void* self, const void** bytes) {
  ArchiveInput& input = *static_cast<ArchiveInput*>(self);
  const Result<std::span<const std::byte>> piece = input.read_();
  if (!piece) {
    input.read_error_ = piece.error();
    return -1;
  }
  *bytes = piece->data();
  return static_cast<la_ssize_t>(piece->size());
}

}  // namespace runhl::oci
