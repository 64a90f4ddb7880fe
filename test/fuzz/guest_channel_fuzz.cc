// SPDX-License-Identifier: Apache-2.0
// What a container's guest process says, and its plan: what is taken is written back the same.
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string_view>

#include "runhl/vmm/upstream/guest_channel.h"
#include "runhl/vmm/upstream/guest_plan.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace runhl::vmm::upstream;
  const std::span bytes(data, size);
  if (const auto message = decode_message(std::as_bytes(bytes))) {
    const std::string written = encode(*message);
    const auto again = decode_message(std::as_bytes(std::span(written)));
    if (!again || again->text != message->text || again->step != message->step ||
        message->status < 0 || message->status > 255) {
      std::abort();
    }
  }
  // SAFETY: bytes as characters.
  if (const auto plan = decode_plan({reinterpret_cast<const char*>(data), size})) {
    const std::string written = encode(*plan);
    const auto again = decode_plan(written);
    if (!again || encode(*again) != written || plan->args.empty()) {
      std::abort();
    }
  }
  return 0;
}
