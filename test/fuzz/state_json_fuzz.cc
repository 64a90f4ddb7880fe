// SPDX-License-Identifier: Apache-2.0
// state.json: whatever reads must also be written and read back the same.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "runhl/shim/state_dir.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // SAFETY: bytes as characters.
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto state = runhl::shim::parse_state_json(text)) {
    const std::string written = runhl::shim::to_json(*state);
    const auto again = runhl::shim::parse_state_json(written);
    if (!again || runhl::shim::to_json(*again) != written) {
      std::abort();
    }
  }
  (void)runhl::shim::parse_progress(text);
  (void)runhl::shim::check_container_id(text);
  return 0;
}
