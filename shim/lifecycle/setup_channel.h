// SPDX-License-Identifier: Apache-2.0
// What verb and monitor say to each other while a container is made (drawn in lifecycle.h).
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "runhl/base/result.h"
#include "runhl/base/unique_fd.h"

namespace runhl::shim {

enum class SetupStep : std::uint32_t {
  NamespacesReady = 1,  ///< only where there are hooks that want them
  HooksDone,            ///< the answer to it
  Proceed,
  ProceedAndStart,  ///< Proceed and, in advance, Commit: the program runs as soon as it can
  Joined,           ///< only of version 1 control groups: the monitor is in them
  Ready,
  Commit,
  Started,
  Failed,  ///< carries the error
};

/// One end. Blocking; a message is at most a few KiB and is sent whole.
class SetupChannel {
 public:
  static Result<std::pair<SetupChannel, SetupChannel>> create();

  /// `text`: what the step has to tell, cut to fit.
  Result<void> send(SetupStep step, const std::string& text = {});
  Result<void> send_failure(const Error& error);

  struct Message {
    SetupStep step{};
    std::string text;
  };
  /// Errors: the peer's own after Failed; Io "…ended" when it closed its end or died.
  Result<Message> receive();
  /// The same, and the step must be `step`.
  Result<std::string> expect(SetupStep step);

  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  explicit SetupChannel(UniqueFd fd) : fd_(std::move(fd)) {}
  Result<void> send(SetupStep step, ErrorCode code, int os_errno, const std::string& text);

  UniqueFd fd_;
};

}  // namespace runhl::shim
