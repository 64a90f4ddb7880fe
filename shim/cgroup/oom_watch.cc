// SPDX-License-Identifier: Apache-2.0
#include "runhl/shim/oom_watch.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <optional>

namespace runhl::shim {
namespace {

constexpr std::string_view kVersion1First = "oom_kill_disable ";

/// No text: the group is gone.
std::optional<std::string> counter_text(int fd) {
  std::array<char, 1024> text{};
  const ssize_t got = ::pread(fd, text.data(), text.size(), 0);
  return got < 0 ? std::nullopt
                 : std::optional(std::string(text.data(), static_cast<std::size_t>(got)));
}

bool drain(int fd) {
  std::array<char, 4096> events{};  // of eventfd, or of inotify
  bool any = false;
  while (::read(fd, events.data(), events.size()) > 0) {
    any = true;
  }
  return any;
}

Result<OomWatch> watch_v1(Sys& sys, const std::string& directory) {
  UniqueFd counter = TRY(sys.open(AT_FDCWD, directory + "/memory.oom_control", O_RDONLY));
  UniqueFd event = TRY(sys.event_fd());
  TRY(sys.write_file(AT_FDCWD, directory + "/cgroup.event_control",
                     std::to_string(event.get()) + " " + std::to_string(counter.get())));
  return OomWatch(std::move(event), std::move(counter));
}

Result<OomWatch> watch_v2(Sys& sys, const std::string& directory) {
  UniqueFd counter = TRY(sys.open(AT_FDCWD, directory + "/memory.events", O_RDONLY));
  UniqueFd event = TRY(sys.watch_file(AT_FDCWD, directory + "/memory.events"));
  return OomWatch(std::move(event), std::move(counter));
}

}  // namespace

OomWatch::OomWatch(UniqueFd event, UniqueFd counter)
    : event_(std::move(event)), counter_(std::move(counter)), seen_(kills()) {}

bool OomWatch::take() {
  const bool woken = drain(event_.get());
  const auto text = counter_text(counter_.get());
  if (!text) {
    return false;  // what woke us is the end of the group
  }
  const std::uint64_t seen = seen_;
  seen_ = oom_kills(*text);
  return text->starts_with(kVersion1First) ? woken : seen_ > seen;
}

std::uint64_t OomWatch::kills() const {
  return oom_kills(counter_text(counter_.get()).value_or(""));
}

Result<OomWatch> watch_oom(Sys& sys, std::span<const std::string> directories) {
  for (const std::string& directory : directories) {
    for (const auto watch : {watch_v1, watch_v2}) {
      auto made = watch(sys, directory);
      if (made || made.error().code != ErrorCode::NotFound) {
        return made;
      }
    }
  }
  return fail(ErrorCode::NotFound, "no control group with a memory controller");
}

std::uint64_t oom_kills(std::string_view counter_text) {
  constexpr std::string_view kKey = "oom_kill ";
  std::size_t at = counter_text.starts_with(kKey) ? 0 : counter_text.find("\noom_kill ");
  if (at == std::string_view::npos) {
    return 0;
  }
  at += kKey.size() + (at == 0 ? 0 : 1);
  std::uint64_t count = 0;
  (void)std::from_chars(counter_text.data() + at, counter_text.data() + counter_text.size(), count);
  return count;
}

}  // namespace runhl::shim
