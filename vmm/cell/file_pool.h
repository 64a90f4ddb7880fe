// SPDX-License-Identifier: Apache-2.0
// Threads for file requests that may wait: for a network, for another program that is the file
// system, for a disk. They come over the ring; each waits by itself, so that one that hangs holds
// up its own caller and nobody else.
//
//   FilePool pool(area, files, doorbell);
//   pool.post({ring, tag, slot});           // main thread
//   // the doorbell rings:
//   for (const FilePool::Done& done : pool.take_done()) ...
//   if (!pool.stop()) ...                   // a thread hangs: what it works on has to live on
//
// Threads are made when all others are busy, and end when there was nothing to do for a while: a
// container that never waits for a file has none.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "cell/host_call_area.h"
#include "fs/file_service.h"

namespace runhl::vmm::cell {

class FilePool {
 public:
  struct Job {
    std::uint32_t ring, tag, slot;
  };
  struct Done {
    std::uint32_t ring, tag;
    std::int32_t result;
  };

  /// @param doorbell borrowed eventfd, rung when there is something for take_done()
  FilePool(HostCallArea area, std::shared_ptr<fs::FileService> files, int doorbell);
  FilePool(const FilePool&) = delete;
  FilePool& operator=(const FilePool&) = delete;
  FilePool(FilePool&&) = delete;
  FilePool& operator=(FilePool&&) = delete;
  ~FilePool() { (void)stop(); }

  /// -EAGAIN: the host refuses a thread, and there is none; or it is stopped.
  std::int32_t post(const Job& job);
  std::vector<Done> take_done();
  /// No answer goes out any more. False: a thread could not be ended; it still uses the area.
  bool stop();

 private:
  struct State;
  static void work(const std::shared_ptr<State>& state);
  static void serve(State& state, std::unique_lock<std::mutex>& lock);

  std::shared_ptr<State> state_;
};

}  // namespace runhl::vmm::cell
