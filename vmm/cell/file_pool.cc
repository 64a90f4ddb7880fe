// SPDX-License-Identifier: Apache-2.0
#include "cell/file_pool.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <system_error>
#include <thread>

#include "cell/service_thread.h"

namespace runhl::vmm::cell {

namespace {

/// A guest has this many request slots, so none of its requests ever waits for another one's
/// thread; the container's own limits are before that.
constexpr std::size_t kMaxThreads = abi::kRequestSlotCount;
constexpr auto kIdle = std::chrono::seconds(5);

}  // namespace

struct FilePool::State {
  State(HostCallArea shared, std::shared_ptr<fs::FileService> service, int bell)
      : area(shared), doorbell(bell), files(std::move(service)) {}

  const HostCallArea area;
  const int doorbell;  // not touched once stopping

  std::mutex mutex;                        // guards all below
  std::shared_ptr<fs::FileService> files;  // null once stopped; a thread that hangs has its own
  std::condition_variable work, ended;
  std::deque<Job> jobs;
  std::vector<Done> done;
  std::vector<pthread_t> threads;
  std::size_t idle = 0;
  bool stopping = false;
};

FilePool::FilePool(HostCallArea area, std::shared_ptr<fs::FileService> files, int doorbell)
    : state_(std::make_shared<State>(area, std::move(files), doorbell)) {}

std::int32_t FilePool::post(const Job& job) {
  const std::unique_lock lock(state_->mutex);
  State& state = *state_;
  if (state.stopping) {
    return -EAGAIN;
  }
  state.jobs.push_back(job);
  if (state.idle >= state.jobs.size()) {
    state.work.notify_one();
    return 0;
  }
  if (state.threads.size() < kMaxThreads) {
    try {
      std::thread thread(work, state_);
      state.threads.push_back(thread.native_handle());
      thread.detach();
      return 0;
    } catch (const std::system_error&) {  // NOLINT(bugprone-empty-catch)
      // Too many for the host: the others will come to it.
    }
  }
  if (!state.threads.empty()) {
    return 0;
  }
  state.jobs.pop_back();
  return -EAGAIN;
}

std::vector<FilePool::Done> FilePool::take_done() {
  const std::unique_lock lock(state_->mutex);
  return std::exchange(state_->done, {});
}

void FilePool::work(const std::shared_ptr<State>& state) {  // the thread's own
  block_other_signals();
  std::unique_lock lock(state->mutex);
  if (!state->stopping) {
    serve(*state, lock);
  }
  std::erase(state->threads, ::pthread_self());
  state->ended.notify_all();
}

void FilePool::serve(State& state, std::unique_lock<std::mutex>& lock) {
  const std::shared_ptr<fs::FileService> files = state.files;
  fs::OperationCredentials credentials = files->credentials();
  for (;;) {
    ++state.idle;
    (void)state.work.wait_for(lock, kIdle, [&] { return state.stopping || !state.jobs.empty(); });
    --state.idle;
    if (state.stopping || state.jobs.empty()) {
      return;
    }
    const Job job = state.jobs.front();
    state.jobs.pop_front();
    lock.unlock();
    const abi::RequestSlot request = copy_shared(state.area.slot(job.slot));
    fs::FileAnswer answer = files->handle(request, state.area.bounce(job.slot), credentials);
    answer.keep.reset();  // without the lock: the last one closes, which may wait as well
    answer.owned.reset();
    lock.lock();
    if (state.stopping) {
      return;  // the area may be gone
    }
    // No descriptor can be placed from here: the guest copies.
    if (request.op == abi::HostOp::Inject && answer.reply.result >= 0) {
      answer.reply.result = -ENODEV;
    }
    state.area.slot(job.slot).reply = answer.reply;
    state.done.push_back({job.ring, job.tag,
                          static_cast<std::int32_t>(std::clamp<std::int64_t>(
                              answer.reply.result, INT32_MIN, INT32_MAX))});
    const std::uint64_t one = 1;
    (void)!::write(state.doorbell, &one, sizeof(one));  // full: it rings already
  }
}

bool FilePool::stop() {
  std::unique_lock lock(state_->mutex);
  State& state = *state_;
  state.stopping = true;
  state.files.reset();
  state.jobs.clear();
  state.work.notify_all();
  const auto ended = [&](std::chrono::milliseconds time) {
    return state.ended.wait_for(lock, time, [&state] { return state.threads.empty(); });
  };
  return end_with_patience(ended, [&state] {
    for (const pthread_t thread : state.threads) {
      (void)::pthread_kill(thread, kInterrupt);  // listed: it exists
    }
  });
}

}  // namespace runhl::vmm::cell
