// SPDX-License-Identifier: Apache-2.0
// The OCI state JSON: what `runhl state` prints, and what hooks get on stdin.
//
//   print(to_json(ContainerState{.id = "c1", .status = Status::Running, .pid = 42, ...}));
//
// Source: runtime-spec, "State"; rootfs, created and owner are runc's additions.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "runhl/base/result.h"
#include "runhl/oci/status.h"

namespace runhl::oci {

struct ContainerState {
  std::string oci_version = "1.0.2";
  std::string id;
  int pid = 0;  // 0: stopped
  Status status = Status::Creating;
  std::string bundle;   // absolute
  std::string rootfs;   // absolute
  std::string created;  // RFC 3339; empty: left out, as in the state for hooks
  std::string owner;    // user name
  std::map<std::string, std::string> annotations;
};

/// Indented, without a final newline. Bytes that are no UTF-8 (in a path) become U+FFFD.
std::string to_json(const ContainerState& state);
Result<ContainerState> parse_container_state(std::string_view text);

}  // namespace runhl::oci
