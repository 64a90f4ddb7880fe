// SPDX-License-Identifier: Apache-2.0
#include "runhl/base/event_loop.h"

#include <sys/epoll.h>

#include <array>
#include <cerrno>

namespace runhl {

Result<EventLoop> EventLoop::create() {
  UniqueFd epoll{::epoll_create1(EPOLL_CLOEXEC)};
  if (!epoll) {
    return fail_errno("epoll_create1");
  }
  return EventLoop{std::move(epoll)};
}

Result<void> EventLoop::add(int fd, std::uint32_t events, Callback callback) {
  epoll_event event{};
  event.events = events;
  event.data.fd = fd;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
    return fail_errno("epoll_ctl");
  }
  callbacks_[fd] = std::make_shared<Callback>(std::move(callback));
  return {};
}

Result<void> EventLoop::change(int fd, std::uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.fd = fd;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event) != 0) {
    return fail_errno("epoll_ctl");
  }
  return {};
}

void EventLoop::remove(int fd) {
  if (callbacks_.erase(fd) != 0) {
    (void)::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);  // closed already is as good
  }
}

Result<void> EventLoop::run_once(int timeout_ms) {
  std::array<epoll_event, 16> events{};
  const int count =
      ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), timeout_ms);
  if (count < 0) {
    if (errno == EINTR) {
      return {};
    }
    return fail_errno("epoll_wait");
  }
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    // An earlier callback of this round may have removed it.
    if (const auto found = callbacks_.find(event.data.fd); found != callbacks_.end()) {
      const std::shared_ptr<Callback> callback = found->second;
      (*callback)(event.events);
    }
  }
  return {};
}

}  // namespace runhl
