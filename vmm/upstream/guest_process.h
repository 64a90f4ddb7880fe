// SPDX-License-Identifier: Apache-2.0
// runhl-boot as a container's guest process: started, signalled, reaped.
#pragma once

#include <sys/types.h>

#include "runhl/base/result.h"
#include "runhl/base/unique_fd.h"
#include "runhl/vmm/machine.h"
#include "runhl/vmm/upstream/guest_channel.h"
#include "runhl/vmm/upstream/machine.h"

namespace runhl::vmm::upstream {

class GuestProcess {
 public:
  /// In the cells' control group, if the spec has one, with the spec's streams as its own: they are
  /// closed here. `plan`: a file with an encoded GuestPlan.
  static Result<GuestProcess> start(MachineSpec* spec, const Host& host, int plan, int channel);
  GuestProcess(GuestProcess&& other) noexcept;
  GuestProcess& operator=(GuestProcess&& other) = delete;
  GuestProcess(const GuestProcess&) = delete;
  GuestProcess& operator=(const GuestProcess&) = delete;
  ~GuestProcess();  ///< kills and reaps it

  void kill() const;
  /// Waits for its end. Once.
  void reap();
  [[nodiscard]] bool reaped() const { return reaped_; }
  [[nodiscard]] int status() const { return status_; }  ///< after reap(): its exit status, or
  [[nodiscard]] int signal() const { return signal_; }  ///< what it died of
  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] int pidfd() const { return pidfd_.get(); }

 private:
  GuestProcess(pid_t pid, UniqueFd pidfd) : pid_(pid), pidfd_(std::move(pidfd)) {}

  pid_t pid_;
  UniqueFd pidfd_;
  bool reaped_ = false;
  int status_ = 0, signal_ = 0;
};

}  // namespace runhl::vmm::upstream
