// SPDX-License-Identifier: Apache-2.0
// The tools of a G1 guest: those that all have, and what it was granted.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "hyperlight/json_tools.h"
#include "runhl/vmm/hyperlight/guest.h"

namespace runhl::vmm::hyperlight {

class MountedFiles;
class SocketTools;

/// What a guest can be given; null: it was not granted, and no tool of it exists.
struct ToolServices {
  std::optional<int>* exit_code = nullptr;           ///< set by `__hl_exit`
  std::function<Result<void>(std::uint64_t)> sleep;  ///< nanoseconds
  const MountedFiles* files = nullptr;
  SocketTools* sockets = nullptr;
  bool echo = false;
  const std::vector<HostCall>* own = nullptr;  ///< of whoever embeds the guest
};

/// The whole table. All of `services` outlives it.
void add_tools(JsonTools* tools, const ToolServices& services);

}  // namespace runhl::vmm::hyperlight
