// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <charconv>
#include <string>

#include "lifecycle/small_file.h"
#include "runhl/shim/state_dir.h"

namespace runhl::shim {
namespace {

struct ProcessStat {
  char state = '?';
  std::uint64_t start_time = 0;
};

/// proc(5): "pid (comm) state ppid ..." with start time as field 22. The name may hold anything,
/// so fields count from the last ')'.
Result<ProcessStat> parse_stat(std::string_view text) {
  constexpr int kStateField = 3, kStartField = 22;
  const std::size_t name_end = text.rfind(')');
  if (name_end == std::string_view::npos) {
    return fail(ErrorCode::Internal, "no process name");
  }
  text.remove_prefix(name_end + 1);
  ProcessStat stat;
  for (int field = kStateField; !text.empty(); ++field) {
    text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
    const std::string_view word = text.substr(0, text.find_first_of(" \n"));
    if (field == kStateField && !word.empty()) {
      stat.state = word.front();
    }
    if (field == kStartField) {
      const auto parsed = std::from_chars(word.begin(), word.end(), stat.start_time);
      if (parsed.ptr == word.end() && !word.empty()) {
        return stat;
      }
      break;
    }
    text.remove_prefix(word.size());
  }
  return fail(ErrorCode::Internal, "no start time");
}

Result<ProcessStat> read_stat(int pid) {
  constexpr std::size_t kMaxBytes = 4096;
  const std::string path = "/proc/" + std::to_string(pid) + "/stat";
  return with_context(path, parse_stat(TRY(read_file_at(AT_FDCWD, path, kMaxBytes))));
}

}  // namespace

Result<ProcessIdentity> identify_process(int pid) {
  return ProcessIdentity{pid, TRY(read_stat(pid)).start_time};
}

std::optional<UniqueFd> open_process(const ProcessIdentity& process) {
  if (process.pid <= 0) {
    return std::nullopt;
  }
  // First the descriptor, then the question who it is: the pid cannot change hands in between
  // without the descriptor's process being dead.
  UniqueFd pidfd{static_cast<int>(::syscall(SYS_pidfd_open, process.pid, 0))};
  if (!pidfd) {
    return std::nullopt;
  }
  const auto stat = read_stat(process.pid);
  if (!stat || stat->start_time != process.start_time || stat->state == 'Z' || stat->state == 'X') {
    return std::nullopt;
  }
  return pidfd;
}

}  // namespace runhl::shim
