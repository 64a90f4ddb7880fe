// SPDX-License-Identifier: Apache-2.0
// The process of one hook and the three pipes to it.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>

#include "runhl/base/result.h"
#include "runhl/base/unique_fd.h"
#include "runhl/oci/config.h"

namespace runhl::shim {

class HookChild {
 public:
  /// Returns once the program runs. Errors: what execve said.
  static Result<HookChild> spawn(const oci::Hook& hook);

  HookChild(HookChild&& other) noexcept;
  HookChild& operator=(HookChild&&) = delete;
  HookChild(const HookChild&) = delete;
  HookChild& operator=(const HookChild&) = delete;
  ~HookChild();  ///< kills and reaps what still runs

  struct End {
    int wait_status = 0;
    bool timed_out = false;
    std::string stderr_tail;  ///< the last 4 KiB, one line, printable
  };

  /// Feeds stdin, reads what it says, until it ends or the time is over; call once.
  Result<End> serve(std::string_view input, std::optional<int> timeout_seconds);

 private:
  HookChild() = default;
  Result<void> feed(std::string_view* input);
  void drain_rest();
  int reap();

  pid_t pid_ = 0;  // 0: reaped
  UniqueFd pidfd_, in_, out_, err_;
  std::string tail_;
};

}  // namespace runhl::shim
