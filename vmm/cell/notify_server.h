// SPDX-License-Identifier: Apache-2.0
// The file-service thread: blocks in the seccomp listener, answers reserved calls.
//
//   auto server = std::make_shared<NotifyServer>(std::move(listener), area, files);
//   server->start();
//   ...                      // the cells end; whoever reaps them then calls
//   if (!server->stop()) ... // it hangs in a file system: what it works on has to live on
//
// The thread ends when the last cell is gone. No notification is ever answered with CONTINUE, and
// no memory of a cell is read but the host-call area.
#pragma once

#include <atomic>
#include <memory>
#include <semaphore>
#include <thread>

#include "cell/host_call_area.h"
#include "fs/file_service.h"
#include "runhl/base/result.h"
#include "runhl/base/unique_fd.h"

struct seccomp_notif;  // NOLINT(readability-identifier-naming): the host's

namespace runhl::vmm::cell {

class NotifyServer : public std::enable_shared_from_this<NotifyServer> {
 public:
  NotifyServer(UniqueFd listener, HostCallArea area, std::shared_ptr<fs::FileService> files);
  NotifyServer(const NotifyServer&) = delete;
  NotifyServer& operator=(const NotifyServer&) = delete;
  NotifyServer(NotifyServer&&) = delete;
  NotifyServer& operator=(NotifyServer&&) = delete;
  ~NotifyServer() = default;  // the thread, which holds the object, has ended or never began

  Result<void> start();
  /// The cells are dead and reaped. False: the thread could not be ended; it still uses the area.
  bool stop();

 private:
  void run();
  void answer(const seccomp_notif& call, fs::OperationCredentials& credentials);
  void serve(const seccomp_notif& call, std::uint32_t slot, fs::OperationCredentials& credentials);
  /// False: nobody waits any more.
  bool send(std::uint64_t id, std::int64_t result);

  UniqueFd listener_;
  HostCallArea area_;
  std::shared_ptr<fs::FileService> files_;
  std::atomic<bool> stopping_{false};
  std::binary_semaphore ended_{0};
  std::thread thread_;  // joined or let go by stop()
};

}  // namespace runhl::vmm::cell
