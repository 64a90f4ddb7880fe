// SPDX-License-Identifier: Apache-2.0
#include "runhl/blobs/verify.h"

#include "runhl/blobs/sha256.h"

namespace runhl::oci {
namespace {

Result<void> verify_blob(const Store& store, const Descriptor& descriptor) {
  const UniqueFd fd = TRY(store.blob(descriptor));
  const Digest digest = TRY(digest_of_file(fd.get()));
  if (digest != descriptor.digest) {
    return fail(ErrorCode::Io, descriptor.digest.text() + " has become " + digest.text());
  }
  return {};
}

}  // namespace

std::vector<std::string> verify_image(const Store& store, const NamedImage& image) {
  std::vector<std::string> wrong;
  const auto note = [&](const Result<void>& result) {
    if (!result) {
      wrong.push_back(image.name + ": " + result.error().message);
    }
    return result.has_value();
  };
  if (!note(verify_blob(store, image.descriptor))) {
    return wrong;  // it says what the other parts are
  }
  const auto text = store.document(image.descriptor);
  const auto document =
      text ? parse_document(*text) : Result<Document>(tl::unexpected(text.error()));
  if (!document) {
    note(tl::unexpected(document.error()));
    return wrong;
  }
  if (const auto* manifest = std::get_if<Manifest>(&*document)) {
    note(verify_blob(store, manifest->config));
    for (const Descriptor& layer : manifest->layers) {
      note(verify_blob(store, layer));
    }
  }
  return wrong;
}

}  // namespace runhl::oci
