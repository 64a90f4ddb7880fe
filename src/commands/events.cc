// SPDX-License-Identifier: Apache-2.0
#include <poll.h>

#include <cerrno>
#include <charconv>
#include <chrono>

#include "commands.h"
#include "options.h"
#include "output.h"
#include "runhl/shim/lifecycle.h"

namespace runhl::commands_internal {
namespace {

/// "5s", "500ms", "1m", as runc's callers write it.
Result<std::chrono::milliseconds> parse_interval(const std::string& text) {
  std::int64_t number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string_view unit(parsed.ptr, text.data() + text.size());
  const std::int64_t factor = unit == "ms" ? 1 : unit == "s" ? 1000 : unit == "m" ? 60'000 : 0;
  constexpr std::int64_t kMost = 86'400'000;
  if (parsed.ec != std::errc{} || number <= 0 || factor == 0 || number > kMost / factor) {
    return fail(ErrorCode::InvalidArgument, "--interval: \"" + text + "\" is no interval");
  }
  return std::chrono::milliseconds(number * factor);
}

using Clock = std::chrono::steady_clock;

/// Until `deadline`; out-of-memory events are printed as they come.
Result<void> wait_printing_oom(const std::string& id, shim::OomWatch* oom,
                               Clock::time_point deadline) {
  using std::chrono::milliseconds;
  for (;;) {
    const auto left = std::chrono::ceil<milliseconds>(deadline - Clock::now());
    if (left.count() <= 0) {
      return {};
    }
    pollfd wait{.fd = *oom ? oom->fd() : -1, .events = POLLIN, .revents = 0};
    const int ready = ::poll(&wait, 1, static_cast<int>(left.count()));
    if (ready < 0 && errno != EINTR) {
      return fail_errno("wait for events");
    }
    if (ready > 0 && oom->take()) {
      TRY(print(shim::oom_event(id) + "\n"));
    }
  }
}

/// Whether the container is still there.
Result<bool> print_stats(const shim::StateRoot& root, const std::string& id) {
  const Result<std::string> event = shim::stats_event(root, id);
  if (event) {
    TRY(print(*event + "\n"));
    return true;
  }
  const ErrorCode code = event.error().code;
  if (code == ErrorCode::WrongState || code == ErrorCode::NotFound) {
    return false;
  }
  return tl::unexpected(event.error());
}

}  // namespace

Result<int> events(const GlobalOptions& globals, Arguments args) {
  std::string id;
  std::string interval = "5s";
  bool once = false;
  Options options("runhl events", "Prints a running container's figures, as lines of JSON.");
  options.flag("--stats", "print them once", &once);
  options.value("--interval", "time between two lines (default 5s)", &interval);
  options.positional("container-id", "name of the container", &id, Presence::Required);
  if (!TRY(options.parse(args))) {
    return 0;
  }
  const std::chrono::milliseconds pause = TRY(parse_interval(interval));
  const shim::StateRoot root(TRY(shim::StateRoot::path_for(globals.root)));
  if (once) {
    TRY(print(TRY(shim::stats_event(root, id)) + "\n"));
    return 0;
  }
  auto watch = shim::watch_container_oom(root, id);  // before the first line: none is missed
  shim::OomWatch oom = watch ? std::move(*watch) : shim::OomWatch();
  TRY(print(TRY(shim::stats_event(root, id)) + "\n"));
  do {
    TRY(wait_printing_oom(id, &oom, Clock::now() + pause));
  } while (TRY(print_stats(root, id)));
  return 0;
}

}  // namespace runhl::commands_internal
