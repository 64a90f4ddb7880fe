// SPDX-License-Identifier: Apache-2.0
#include "monitor/own_limits.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <string>

#include "runhl/base/log.h"
#include "runhl/base/unique_fd.h"

namespace runhl::shim {
namespace {

Result<void> set_oom_score(int score) {
  const UniqueFd file{::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC)};
  if (!file) {
    return fail_errno("/process/oomScoreAdj: open /proc/self/oom_score_adj");
  }
  const std::string text = std::to_string(score);
  if (::write(file.get(), text.data(), text.size()) >= 0) {
    return {};
  }
  if (errno == EACCES || errno == EPERM) {
    log_warn("/process/oomScoreAdj: lowering it to {} is not permitted here; left as it is", score);
    return {};
  }
  return fail_errno("/process/oomScoreAdj: write " + text);
}

Result<void> set_limit(__rlimit_resource resource, const rlimit& limit, const char* name) {
  if (::setrlimit(resource, &limit) != 0) {
    return fail_errno(std::string("set limit ") + name);
  }
  return {};
}

/// The smaller of what is asked for and what we may have: a limit only ever shrinks here, a larger
/// one is the guest's affair.
Result<void> shrink_file_size(const oci::ConfigRlimit& asked) {
  constexpr rlim_t kOwnFiles = 4096;  // the exit status is written down whatever the limit
  rlimit own{};
  if (::getrlimit(RLIMIT_FSIZE, &own) != 0) {
    return fail_errno("get limit RLIMIT_FSIZE");
  }
  own.rlim_max = std::min<rlim_t>(own.rlim_max, std::max<rlim_t>(asked.hard, kOwnFiles));
  own.rlim_cur = std::min<rlim_t>(own.rlim_max, std::max<rlim_t>(asked.soft, kOwnFiles));
  return set_limit(RLIMIT_FSIZE, own, "RLIMIT_FSIZE");
}

Result<void> make_room_for_descriptors() {
  rlimit own{};
  if (::getrlimit(RLIMIT_NOFILE, &own) != 0) {
    return fail_errno("get limit RLIMIT_NOFILE");
  }
  own.rlim_cur = own.rlim_max;
  return set_limit(RLIMIT_NOFILE, own, "RLIMIT_NOFILE");
}

}  // namespace

Result<void> apply_own_limits(const oci::Process& process) {
  (void)::umask(0);  // cannot fail
  if (process.oom_score_adj) {
    TRY(set_oom_score(*process.oom_score_adj));
  }
  TRY(make_room_for_descriptors());
  return set_limit(RLIMIT_CORE, rlimit{.rlim_cur = 0, .rlim_max = 0}, "RLIMIT_CORE");
}

int own_nice_value() {
  return ::getpriority(PRIO_PROCESS, 0);  // cannot fail: it is our own
}

int own_oom_score() {
  const UniqueFd file{::open("/proc/self/oom_score_adj", O_RDONLY | O_CLOEXEC)};
  std::array<char, 16> text{};
  const ssize_t size = ::read(file.get(), text.data(), text.size());
  int score = 0;
  if (size > 0) {
    (void)std::from_chars(text.data(), text.data() + size, score);  // the host's own number
  }
  return std::clamp(score, -1000, 1000);
}

Result<void> limit_file_size(const oci::Process& process) {
  for (const oci::ConfigRlimit& limit : process.rlimits) {
    if (limit.resource == RLIMIT_FSIZE) {
      TRY(shrink_file_size(limit));
    }
  }
  return {};
}

void prefer_short_slices() {
  // As linux/sched/types.h has it, which the C library's headers do not bear beside them.
  struct {
    std::uint32_t size, sched_policy;
    std::uint64_t sched_flags;
    std::int32_t sched_nice;
    std::uint32_t sched_priority;
    std::uint64_t sched_runtime, sched_deadline, sched_period;
  } attributes{};
  constexpr std::uint64_t kSlice = 100'000;  // nanoseconds, the shortest there is
  if (::syscall(SYS_sched_getattr, 0, &attributes, sizeof(attributes), 0) != 0 ||
      attributes.sched_policy != SCHED_OTHER) {
    return;  // somebody has better plans for us
  }
  attributes.sched_runtime = kSlice;
  (void)::syscall(SYS_sched_setattr, 0, &attributes, 0);  // a refusal costs only time
}

}  // namespace runhl::shim
