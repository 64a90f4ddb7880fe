// SPDX-License-Identifier: Apache-2.0
// The file-service thread: blocks in the seccomp listener, answers reserved calls.
//
//   NotifyServer server(std::move(listener), area, std::move(files));
//   server.start();
//   ...                      // the cells end; whoever reaps them then calls
//   server.stop();
//
// The thread alone touches the FileService; it ends when the last cell is gone. No notification is
// ever answered with CONTINUE, and no memory of a cell is read but the host-call area.
#pragma once

#include <atomic>
#include <semaphore>
#include <thread>

#include "cell/host_call_area.h"
#include "fs/file_service.h"
#include "runhl/base/result.h"
#include "runhl/base/unique_fd.h"

struct seccomp_notif;

namespace runhl::vmm::cell {

class NotifyServer {
 public:
  NotifyServer(UniqueFd listener, HostCallArea area, fs::FileService files);
  NotifyServer(const NotifyServer&) = delete;
  NotifyServer& operator=(const NotifyServer&) = delete;
  NotifyServer(NotifyServer&&) = delete;
  NotifyServer& operator=(NotifyServer&&) = delete;
  ~NotifyServer() { stop(); }

  Result<void> start();
  /// The cells are dead and reaped. Returns when the thread has ended.
  void stop();

 private:
  void run();
  void answer(const seccomp_notif& call);
  void serve(const seccomp_notif& call, std::uint32_t slot);
  /// False: nobody waits any more.
  bool send(std::uint64_t id, std::int64_t result);

  UniqueFd listener_;
  HostCallArea area_;
  fs::FileService files_;
  std::atomic<bool> stopping_{false};
  std::binary_semaphore ended_{0};
  std::thread thread_;  // joined by stop()
};

}  // namespace runhl::vmm::cell
