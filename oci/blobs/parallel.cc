// SPDX-License-Identifier: Apache-2.0
#include "runhl/blobs/parallel.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace runhl::oci {

Result<void> in_parallel(
    std::size_t count,
    const std::function<Result<void>(std::size_t worker, std::size_t index)>& work) {
  std::atomic<std::size_t> next = 0;
  std::atomic<bool> failed = false;
  std::mutex mutex;  // of error
  std::optional<Error> error;
  const auto run = [&](std::size_t worker) {
    while (!failed) {
      const std::size_t index = next++;
      if (index >= count) {
        return;
      }
      const Result<void> done = work(worker, index);
      if (!done) {
        const std::lock_guard guard(mutex);
        failed = true;
        error = error ? error : done.error();
      }
    }
  };
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < std::min(kParallel, count); ++i) {
      threads.emplace_back(run, i);
    }
  }
  return error ? Result<void>(tl::unexpected(std::move(*error))) : Result<void>{};
}

}  // namespace runhl::oci
