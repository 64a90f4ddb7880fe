// SPDX-License-Identifier: Apache-2.0
#include <nlohmann/json.hpp>

#include "runhl/base/sys.h"
#include "runhl/shim/lifecycle.h"

namespace runhl::shim {

Result<OomWatch> watch_container_oom(const StateRoot& root, const std::string& id) {
  const ContainerView container = TRY(view(root, id));
  return watch_oom(linux_sys(), container.state.cgroups.directories);
}

std::string oom_event(const std::string& id) {
  const nlohmann::json event = {{"type", "oom"}, {"id", id}};
  return event.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace runhl::shim
