// SPDX-License-Identifier: Apache-2.0
// What a registry or a file says of an image: whatever it says, it is refused, or what was
// understood reads the same when it is written again. The first byte chooses the parser.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "runhl/image/documents.h"
#include "runhl/reference/reference.h"

namespace {

using namespace runhl::oci;  // NOLINT(google-build-using-namespace): one small program

void document(std::string_view text) {
  const auto parsed = parse_document(text);
  if (!parsed) {
    return;
  }
  const auto again =
      std::visit([](const auto& one) { return parse_document(to_json(one)); }, *parsed);
  if (!again || again->index() != parsed->index()) {
    std::abort();
  }
}

void reference(std::string_view text) {
  const auto parsed = Reference::parse(text);
  if (!parsed) {
    return;
  }
  const auto again = Reference::parse(parsed->text());
  if (!again || *again != *parsed) {
    std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) {
    return 0;
  }
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0]) {
    case 'c':
      (void)parse_image_config(text);
      break;
    case 'r':
      reference(text);
      break;
    default:
      document(text);
  }
  return 0;
}
