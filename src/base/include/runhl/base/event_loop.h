// SPDX-License-Identifier: Apache-2.0
// One epoll set with callbacks: the monitor's main thread runs one, and everything that waits for a
// descriptor (doorbell, pidfd of cell 0, streams, timers, control socket) registers here.
//
//   EventLoop loop = TRY(EventLoop::create());
//   TRY(loop.add(fd, EPOLLIN, [&](std::uint32_t events) { ... }));
//   while (!done) TRY(loop.run_once(-1));
//
// Not thread-safe: one thread owns a loop. A callback may add, change and remove any descriptor,
// its own too.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <unordered_map>

#include "runhl/base/result.h"
#include "runhl/base/unique_fd.h"

namespace runhl {

class EventLoop {
 public:
  using Callback = std::function<void(std::uint32_t events)>;

  static Result<EventLoop> create();

  /// Watches `fd` (borrowed; remove it before closing it) for `events` (EPOLLIN, ...). One watch a
  /// descriptor. Errors: AlreadyExists, Permission (a regular file cannot be watched).
  Result<void> add(int fd, std::uint32_t events, Callback callback);
  Result<void> change(int fd, std::uint32_t events);
  void remove(int fd);

  /// Waits up to `timeout_ms` (-1: for ever) and calls back what is ready. EINTR is not an error.
  Result<void> run_once(int timeout_ms);

 private:
  explicit EventLoop(UniqueFd epoll) : epoll_(std::move(epoll)) {}

  UniqueFd epoll_;
  std::unordered_map<int, std::shared_ptr<Callback>> callbacks_;  // shared: alive while it runs
};

}  // namespace runhl
