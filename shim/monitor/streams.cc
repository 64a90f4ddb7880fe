// SPDX-License-Identifier: Apache-2.0
#include "monitor/streams.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <utility>
#include <vector>

namespace runhl::shim {
namespace {

constexpr int kFirstFree = STDERR_FILENO + 1;

Result<UniqueFd> take_stream(int fd) {
  UniqueFd taken{::fcntl(fd, F_DUPFD_CLOEXEC, kFirstFree)};
  if (!taken && errno != EBADF) {
    return fail_errno("take stream " + std::to_string(fd));
  }
  // main() fills a closed stream with an O_PATH descriptor.
  if (taken && (::fcntl(fd, F_GETFL) & O_PATH) != 0) {
    taken.reset();
  }
  return taken;
}

Result<void> point_streams_at(UniqueFd null_device) {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
    if (null_device.get() != fd && ::dup2(null_device.get(), fd) < 0) {
      return fail_errno("point a stream at /dev/null");
    }
  }
  if (null_device.get() < kFirstFree) {
    (void)null_device.release();  // it took the place of a closed stream and stays there
  }
  return {};
}

void close_all_but(std::vector<int> keep) {
  std::sort(keep.begin(), keep.end());
  auto first = static_cast<unsigned>(kFirstFree);
  for (const int fd : keep) {
    if (fd < kFirstFree) {
      continue;
    }
    const auto number = static_cast<unsigned>(fd);
    if (number > first) {
      (void)::close_range(first, number - 1, 0);  // cannot fail: no flags, first <= last
    }
    first = std::max(first, number + 1);
  }
  (void)::close_range(first, std::numeric_limits<unsigned>::max(), 0);
}

}  // namespace

Result<vmm::Stdio> take_streams(std::span<const int> keep, UniqueFd null_device) {
  vmm::Stdio stdio;
  stdio.in = TRY(take_stream(STDIN_FILENO));
  stdio.out = TRY(take_stream(STDOUT_FILENO));
  stdio.err = TRY(take_stream(STDERR_FILENO));
  std::vector<int> kept(keep.begin(), keep.end());
  kept.push_back(null_device.get());
  for (const UniqueFd* stream : {&stdio.in, &stdio.out, &stdio.err}) {
    kept.push_back(stream->get());
  }
  close_all_but(std::move(kept));
  TRY(point_streams_at(std::move(null_device)));
  return stdio;
}

}  // namespace runhl::shim
