// SPDX-License-Identifier: Apache-2.0
// The out-of-memory events of a container's control group.
//
//   OomWatch watch = TRY(watch_oom(sys, state.cgroups.directories));
//   poll(watch.fd());              // readable
//   if (watch.take()) { ... }      // memory has run out
//
// Version 1 tells of the event before its OOM killer has chosen, version 2 after it has killed.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "runhl/base/result.h"
#include "runhl/base/sys.h"
#include "runhl/base/unique_fd.h"

namespace runhl::shim {

class OomWatch {
 public:
  OomWatch() = default;
  /// @param event   v1: the eventfd; v2: an inotify descriptor of memory.events
  /// @param counter memory.oom_control or memory.events: "oom_kill N" is in it
  OomWatch(UniqueFd event, UniqueFd counter);

  explicit operator bool() const { return static_cast<bool>(event_); }
  [[nodiscard]] int fd() const { return event_.get(); }
  /// Reads what there is; whether memory has run out since the last call. Never blocks.
  bool take();
  /// How many processes were killed for it so far.
  [[nodiscard]] std::uint64_t kills() const;

 private:
  UniqueFd event_, counter_;
  std::uint64_t seen_ = 0;
};

/// Watches the group that one of the directories is for the memory controller, from now on. Errors:
/// NotFound (none of them is).
Result<OomWatch> watch_oom(Sys& sys, std::span<const std::string> directories);

/// The count of "oom_kill" in a counter's text, 0 when it is not there.
std::uint64_t oom_kills(std::string_view counter_text);

}  // namespace runhl::shim
