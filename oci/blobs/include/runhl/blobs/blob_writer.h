// SPDX-License-Identifier: Apache-2.0
// The way of content into a store: it is named by what was written, and what was expected is
// compared before it has a name.
//
//   BlobWriter writer = TRY(BlobWriter::create(store));
//   TRY(writer.write(bytes));
//   TRY(writer.finish(descriptor));              // or finish(): whatever it is
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "runhl/base/output_file.h"
#include "runhl/blobs/sha256.h"
#include "runhl/store/store.h"

namespace runhl::oci {

class BlobWriter {
 public:
  static Result<BlobWriter> create(const Store& store);

  /// Errors: Io (disk full).
  Result<void> write(std::span<const std::byte> bytes);
  /// The content is in the store. Errors: InvalidArgument (another size or digest); Io.
  Result<void> finish(const Descriptor& expected);
  /// The same for content that nobody named before.
  Result<Descriptor> finish(std::string_view media_type);

 private:
  explicit BlobWriter(OutputFile file) : file_(std::move(file)) {}

  OutputFile file_;
  Sha256 hash_;
  std::uint64_t size_ = 0;
};

/// A document as it is.
Result<Descriptor> add_document(const Store& store, std::string_view text,
                                std::string_view media_type);

}  // namespace runhl::oci
