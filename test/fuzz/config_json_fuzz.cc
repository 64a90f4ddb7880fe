// SPDX-License-Identifier: Apache-2.0
// config.json from an untrusted bundle: any bytes give a Config or a one-line error.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "runhl/oci/load_config.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // SAFETY: bytes seen as characters; the fuzzer keeps them alive for the call.
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto config = runhl::oci::parse_config(text, "/bundle");
  if (!config) {
    // An error is one line, so that it fits a log.
    RUNHL_CHECK(config.error().message.find('\n') == std::string::npos);
    return 0;
  }
  RUNHL_CHECK(!config->process.args.empty());
  RUNHL_CHECK(config->root_path.starts_with('/'));
  return 0;
}
