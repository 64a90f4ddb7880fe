// SPDX-License-Identifier: Apache-2.0
// What a hostile G1 kernel sends to __dispatch, to tools that reach no file and no network; what a
// program that is a tool prints; and the block of init_data, read back as a kernel reads it.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string>

#include "hyperlight/base64.h"
#include "hyperlight/file_tools.h"
#include "hyperlight/guest_tools.h"
#include "hyperlight/host_sockets.h"
#include "hyperlight/init_data.h"
#include "hyperlight/json_tools.h"
#include "hyperlight/socket_tools.h"
#include "runhl/base/file_io.h"

namespace {

using namespace runhl;
using namespace runhl::vmm::hyperlight;

constexpr std::uint64_t kMost = 4096;

void dispatch(std::span<const std::byte> request) {
  static const MountedFiles files({{-1, "/host", false}, {-1, "/host/ro", true}});
  static HostSockets host(nullptr);
  static SocketTools sockets(&host, nullptr, [] { return true; });
  static std::optional<int> code;
  static const JsonTools tools = [] {
    JsonTools made(kMost);
    ToolServices services;
    services.exit_code = &code;
    services.sleep = [](std::uint64_t) -> Result<void> { return {}; };
    services.files = &files;
    services.sockets = &sockets;
    services.echo = true;
    add_tools(&made, services);
    return made;
  }();
  const Bytes reply = tools.dispatch(request);
  if (reply.size() > kMost || as_text(reply).substr(0, 2) != "{\"") {
    std::abort();
  }
}

std::uint32_t number_at(std::span<const std::byte> block, std::size_t at) {
  std::uint32_t value = 0;
  std::memcpy(&value, block.subspan(at, sizeof value).data(), sizeof value);
  return value;
}

/// The text at `*at`, which goes behind it.
std::string_view text_at(std::span<const std::byte> block, std::size_t* at) {
  const std::size_t size = number_at(block, *at);
  const std::string_view text = as_text(block.subspan(*at + 4, size));
  *at += 4 + size + 1;
  return text;
}

void check_init_data(std::string_view text) {
  GuestSpec spec;
  const std::size_t half = text.size() / 2;
  spec.command_line = text.substr(0, half);
  spec.mounts = {{-1, std::string(text.substr(half)), false}};
  const Bytes block = make_init_data(spec, 7);
  std::size_t at = 8;
  const bool same = text_at(block, &at) == spec.command_line && number_at(block, at + 8) == 1;
  at += 12;
  if (!same || text_at(block, &at) != spec.mounts[0].target || number_at(block, at + 12) != 7 ||
      at + 20 > block.size() - 8) {
    std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) {
    return 0;
  }
  const auto bytes = std::as_bytes(std::span(data, size)).subspan(1);
  switch (data[0] % 4) {
    case 0:
      check_init_data(as_text(bytes));
      break;
    case 1: {
      const Result<std::string> decoded = from_base64(as_text(bytes));
      if (decoded && to_base64(*decoded) != as_text(bytes)) {
        std::abort();
      }
      (void)result_of_program(as_text(bytes));
      break;
    }
    default:
      dispatch(bytes);
  }
  return 0;
}
