// SPDX-License-Identifier: Apache-2.0
// The control socket's decoders, of both sides.
#include <cstdint>
#include <cstdlib>
#include <span>

#include "runhl/shim/control.h"

namespace {

bool is_known(runhl::shim::ControlOperation operation) {
  switch (operation) {
    case runhl::shim::ControlOperation::Start:
    case runhl::shim::ControlOperation::Signal:
    case runhl::shim::ControlOperation::Stats:
    case runhl::shim::ControlOperation::SignalAll:
      return true;
  }
  return false;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace runhl::shim;
  const auto message = std::as_bytes(std::span(data, size));
  if (const auto request = decode_request(message)) {
    if (size != sizeof(ControlRequest) || !is_known(request->operation)) {
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
