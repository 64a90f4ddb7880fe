// SPDX-License-Identifier: Apache-2.0
// The control socket's decoders, of both sides.
#include <cstdint>
#include <cstdlib>
#include <span>

#include "runhl/shim/control.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace runhl::shim;
  const auto message = std::as_bytes(std::span(data, size));
  if (const auto request = decode_request(message)) {
    if (size != sizeof(ControlRequest) || (request->operation != ControlOperation::Start &&
                                           request->operation != ControlOperation::Signal)) {
      std::abort();
    }
  }
  if (const auto reply = decode_reply(message); !reply) {
    const ControlReply again = encode_reply(reply);
    if (decode_reply(std::as_bytes(std::span(&again, 1))).error().code != reply.error().code) {
      std::abort();
    }
  }
  return 0;
}
