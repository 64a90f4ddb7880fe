// SPDX-License-Identifier: Apache-2.0
#include <charconv>
#include <chrono>
#include <thread>

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
  TRY(print(TRY(shim::stats_event(root, id)) + "\n"));
  while (!once) {
    std::this_thread::sleep_for(pause);
    const Result<std::string> event = shim::stats_event(root, id);
    if (!event) {
      const ErrorCode code = event.error().code;
      const bool ended = code == ErrorCode::WrongState || code == ErrorCode::NotFound;
      return ended ? Result<int>(0) : tl::unexpected(event.error());
    }
    TRY(print(*event + "\n"));
  }
  return 0;
}

}  // namespace runhl::commands_internal
