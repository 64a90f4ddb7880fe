// SPDX-License-Identifier: Apache-2.0
#include "runhl/blobs/blob_writer.h"

#include "runhl/base/file_io.h"

namespace runhl::oci {

Result<BlobWriter> BlobWriter::create(const Store& store) {
  return BlobWriter(TRY(OutputFile::create(store.blob_directory())));
}

Result<void> BlobWriter::write(std::span<const std::byte> bytes) {
  hash_.update(bytes);
  size_ += bytes.size();
  return write_all(file_.fd(), as_text(bytes), "write to the store");
}

Result<void> BlobWriter::finish(const Descriptor& expected) {
  if (size_ != expected.size) {
    return fail(ErrorCode::InvalidArgument, expected.digest.text() + ": came with " +
                                                std::to_string(size_) + " bytes, not the " +
                                                std::to_string(expected.size) +
                                                " that its descriptor says");
  }
  const Digest digest = hash_.finish();
  if (digest != expected.digest) {
    return fail(ErrorCode::InvalidArgument,
                expected.digest.text() + ": came with other content, " + digest.text());
  }
  return file_.publish(digest.hex());
}

Result<Descriptor> BlobWriter::finish(std::string_view media_type) {
  Descriptor descriptor{
      .media_type = std::string(media_type), .digest = hash_.finish(), .size = size_};
  TRY(file_.publish(descriptor.digest.hex()));
  return descriptor;
}

Result<Descriptor> add_document(const Store& store, std::string_view text,
                                std::string_view media_type) {
  BlobWriter writer = TRY(BlobWriter::create(store));
  TRY(writer.write(std::as_bytes(std::span(text))));
  return writer.finish(media_type);
}

}  // namespace runhl::oci
