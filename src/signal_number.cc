// SPDX-License-Identifier: Apache-2.0
#include "signal_number.h"

#include <algorithm>
#include <cctype>
#include <csignal>
#include <cstring>
#include <optional>
#include <string_view>

#include "runhl/base/number.h"

namespace runhl {
namespace {

constexpr int kMaxSignal = 64;      // x86-64 Linux
constexpr int kFirstRealtime = 34;  // what libc leaves of them: 32 and 33 are its own
constexpr int kLastRealtime = 64;

std::optional<int> named_signal(std::string_view name) {
  for (int number = 1; number < kFirstRealtime; ++number) {
    const char* abbreviation = ::sigabbrev_np(number);
    if (abbreviation != nullptr && name == abbreviation) {
      return number;
    }
  }
  if (name == "IOT") {
    return SIGABRT;
  }
  if (name == "CLD") {
    return SIGCHLD;
  }
  return std::nullopt;
}

std::optional<int> realtime_signal(std::string_view name) {
  const bool from_first = name.starts_with("RTMIN");
  if (!from_first && !name.starts_with("RTMAX")) {
    return std::nullopt;
  }
  const std::string_view offset = name.substr(5);
  const int base = from_first ? kFirstRealtime : kLastRealtime;
  if (offset.empty()) {
    return base;
  }
  const std::optional<int> distance = whole_number<int>(offset.substr(1));
  if (offset.front() != (from_first ? '+' : '-') || !distance) {
    return std::nullopt;
  }
  const bool inside = *distance >= 0 && *distance <= kLastRealtime - kFirstRealtime;
  return inside ? std::optional(from_first ? base + *distance : base - *distance) : std::nullopt;
}

}  // namespace

Result<int> parse_signal(const std::string& text) {
  std::string name = text;
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  std::optional<int> number = whole_number<int>(name);
  if (number && (*number < 0 || *number > kMaxSignal)) {
    number.reset();
  } else if (!number) {
    const std::string_view bare = std::string_view(name).substr(name.starts_with("SIG") ? 3 : 0);
    number = named_signal(bare);
    if (!number) {
      number = realtime_signal(bare);
    }
  }
  if (!number) {
    return fail(ErrorCode::InvalidArgument, "unknown signal \"" + text + "\"");
  }
  return *number;
}

}  // namespace runhl
