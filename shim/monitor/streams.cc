// SPDX-License-Identifier: Apache-2.0
#include "monitor/streams.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>
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

Result<void> point_streams_at_null() {
  UniqueFd null{::open("/dev/null", O_RDWR)};
  if (!null) {
    return fail_errno("open /dev/null");
  }
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
    if (null.get() != fd && ::dup2(null.get(), fd) < 0) {
      return fail_errno("point a stream at /dev/null");
    }
  }
  if (null.get() < kFirstFree) {
    (void)null.release();  // it took the place of a closed stream and stays there
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

Result<vmm::Stdio> take_streams(std::span<const int> keep) {
  vmm::Stdio stdio{.in = TRY(take_stream(STDIN_FILENO)),
                   .out = TRY(take_stream(STDOUT_FILENO)),
                   .err = TRY(take_stream(STDERR_FILENO))};
  std::vector<int> kept(keep.begin(), keep.end());
  for (const UniqueFd* stream : {&stdio.in, &stdio.out, &stdio.err}) {
    kept.push_back(stream->get());
  }
  close_all_but(std::move(kept));
  TRY(point_streams_at_null());
  return stdio;
}

}  // namespace runhl::shim
