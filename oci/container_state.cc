// SPDX-License-Identifier: Apache-2.0
#include "runhl/oci/container_state.h"

#include <limits>
#include <nlohmann/json.hpp>

#include "runhl/json/node.h"

namespace runhl::oci {

std::string to_json(const ContainerState& state) {
  nlohmann::ordered_json out = {
      {"ociVersion", state.oci_version},   {"id", state.id},         {"pid", state.pid},
      {"status", to_string(state.status)}, {"bundle", state.bundle}, {"rootfs", state.rootfs},
  };
  if (!state.created.empty()) {
    out["created"] = state.created;
  }
  if (!state.annotations.empty()) {
    out["annotations"] = state.annotations;
  }
  out["owner"] = state.owner;
  constexpr int kIndent = 2;
  return out.dump(kIndent, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

Result<ContainerState> parse_container_state(std::string_view text) {
  const Value value = TRY(parse_json(text));
  const Node document(value);
  TRY(document.as_object());
  ContainerState state;
  state.oci_version = TRY(TRY(document.required("ociVersion")).string());
  state.id = TRY(TRY(document.required("id")).string());
  const Node status = TRY(document.required("status"));
  const auto known = parse_status(TRY(status.string()));
  if (!known) {
    return status.refuse("is no status");
  }
  state.status = *known;
  if (const auto pid = document.member("pid")) {
    state.pid = static_cast<int>(TRY(pid->natural(std::numeric_limits<int>::max())));
  }
  state.bundle = TRY(TRY(document.required("bundle")).string());
  state.rootfs = TRY(document.string_or("rootfs"));
  state.created = TRY(document.string_or("created"));
  state.owner = TRY(document.string_or("owner"));
  if (const auto annotations = document.member("annotations")) {
    for (const Node& item : TRY(annotations->members())) {
      state.annotations[item.value().key] = TRY(item.string());
    }
  }
  return state;
}

}  // namespace runhl::oci
