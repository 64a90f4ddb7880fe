// SPDX-License-Identifier: Apache-2.0
// Stops the guest when the time is over; its end ends the wait.
//
//   const TimeLimit limit(&guest, options.time_limit_s);
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "runhl/base/alarm.h"
#include "runhl/vmm/hyperlight/guest.h"

namespace runhl::boot {

class TimeLimit {
 public:
  /// 0: there is none.
  TimeLimit(vmm::hyperlight::Guest* guest, std::uint64_t seconds) {
    if (seconds != 0) {
      alarm_.emplace(std::chrono::seconds(seconds), [guest] { guest->stop(); });
    }
  }

 private:
  std::optional<Alarm> alarm_;
};

}  // namespace runhl::boot
