// SPDX-License-Identifier: Apache-2.0
#include "lifecycle/kill_monitor.h"

#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

namespace runhl::shim {

Result<void> kill_monitor(const ProcessIdentity& monitor) {
  const auto pidfd = open_process(monitor);
  if (!pidfd) {
    return {};
  }
  if (::syscall(SYS_pidfd_send_signal, pidfd->get(), SIGKILL, nullptr, 0) != 0 && errno != ESRCH) {
    return fail_errno("kill monitor " + std::to_string(monitor.pid));
  }
  return {};
}

Result<void> wait_for_death(const ProcessIdentity& monitor, int timeout_ms) {
  const auto pidfd = open_process(monitor);
  if (!pidfd) {
    return {};
  }
  pollfd wait{.fd = pidfd->get(), .events = POLLIN, .revents = 0};
  int ready = 0;
  do {
    ready = ::poll(&wait, 1, timeout_ms);
  } while (ready < 0 && errno == EINTR);
  if (ready < 0) {
    return fail_errno("wait for monitor " + std::to_string(monitor.pid));
  }
  if (ready == 0) {
    return fail(ErrorCode::Timeout,
                "monitor " + std::to_string(monitor.pid) + " does not end after SIGKILL");
  }
  return {};
}

}  // namespace runhl::shim
