// SPDX-License-Identifier: Apache-2.0
// The process of the software CPU: started, spoken to, ended. Nothing that comes back is trusted.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>

#include "runhl/base/result.h"
#include "runhl/base/unique_fd.h"
#include "runhl/emu/protocol.h"

namespace runhl::vmm::emu {

class Process {
 public:
  static Result<Process> start(const std::string& executable);
  ~Process();
  Process(Process&& other) noexcept;
  Process& operator=(Process&& other) = delete;
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  /// `fd`: sent along, -1 for none.
  Result<void> send(const runhl_emu_request& request, int fd);
  /// Waits for the answer. Hypervisor: it says that it failed, with `page`'s text, or it is gone.
  Result<void> answer(const runhl_emu_page* page);
  /// The answer to RUN; as soon as `stop_event` is readable the guest is stopped.
  Result<void> answer_of_run(runhl_emu_page* page, int stop_event);

 private:
  Process(pid_t pid, UniqueFd pidfd, UniqueFd socket)
      : pid_(pid), pidfd_(std::move(pidfd)), socket_(std::move(socket)) {}
  void signal(int number) const;
  Result<bool> wait(int stop_event, int timeout_ms);
  tl::unexpected<Error> gone();

  pid_t pid_ = -1;
  UniqueFd pidfd_;  // signals go through it: a jailed monitor reaches nobody else's process
  UniqueFd socket_;
};

}  // namespace runhl::vmm::emu
