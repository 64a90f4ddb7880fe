// SPDX-License-Identifier: Apache-2.0
// Which states a container has, and which moves are legal: runc's rules.
//
//              create             start               exits, kill
//   (nothing) ───────► creating ─► created ─► running ───────────► stopped ──► (nothing)
//                          │          │  ▲  pause │ ▲                 ▲  delete
//                          │    pause │  │resume  ▼ │ resume          │
//                          │          └──┴──► paused ─────────────────┤ kill (when thawed; KILL
//                          now) │                                          │
//                          └──────────────────────────────────────────┘ create failed
//
//   kill            created, running, paused
//   delete          stopped; created (it is killed first); with --force any, creating too
//   exec            created, running
//   resume          goes back to what the container was before: created or running
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace runhl::oci {

enum class Status : std::uint8_t { Creating, Created, Running, Paused, Stopped };

/// As in the state JSON: "creating", "created", "running", "paused", "stopped".
std::string_view to_string(Status status);
std::optional<Status> parse_status(std::string_view text);

enum class Deletion : std::uint8_t { Plain, Forced };

constexpr bool can_start(Status status) {
  return status == Status::Created;
}
constexpr bool can_kill(Status status) {
  return status == Status::Created || status == Status::Running || status == Status::Paused;
}
constexpr bool can_delete(Status status, Deletion deletion = Deletion::Plain) {
  return deletion == Deletion::Forced || status == Status::Stopped || status == Status::Created;
}
constexpr bool can_exec(Status status) {
  return status == Status::Created || status == Status::Running;
}
constexpr bool can_pause(Status status) {
  return can_exec(status);
}
constexpr bool can_resume(Status status) {
  return status == Status::Paused;
}

}  // namespace runhl::oci
