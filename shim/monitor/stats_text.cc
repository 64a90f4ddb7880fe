// SPDX-License-Identifier: Apache-2.0
#include "monitor/stats_text.h"

#include <charconv>

#include "runhl/vmm/syscall_names.h"

namespace runhl::shim {
namespace {

constexpr std::string_view kUnimplemented = "unimplemented ";
constexpr std::string_view kMapsFiles = "maps_files";

/// Takes up to `end` off the front; all of it where there is no such character.
std::string_view take_until(std::string_view& text, char end) {
  const std::size_t at = text.find(end);
  const std::string_view taken = text.substr(0, at);
  text.remove_prefix(at == std::string_view::npos ? text.size() : at + 1);
  return taken;
}

}  // namespace

std::string stats_text(const vmm::Stats& stats, const vmm::Capabilities& capabilities) {
  std::string text(kMapsFiles);
  text += capabilities.file_mapping ? " 1\n" : " 0\n";
  for (const auto& [name, value] : stats.counters) {
    text += name + " " + std::to_string(value) + "\n";
  }
  for (const auto& [number, calls] : stats.unimplemented_syscalls) {
    text.append(kUnimplemented) += vmm::syscall_name(number) + " " + std::to_string(calls) + "\n";
  }
  return text;
}

Result<GuestCounters> parse_stats_text(std::string_view text) {
  GuestCounters out;
  while (!text.empty()) {
    std::string_view line = take_until(text, '\n');
    const bool unimplemented = line.starts_with(kUnimplemented);
    line.remove_prefix(unimplemented ? kUnimplemented.size() : 0);
    const std::string name(take_until(line, ' '));
    std::uint64_t value = 0;
    const auto parsed = std::from_chars(line.data(), line.data() + line.size(), value);
    if (name.empty() || parsed.ec != std::errc{} || parsed.ptr != line.data() + line.size()) {
      return fail(ErrorCode::Io, "the container's monitor sent counters that make no sense");
    }
    if (!unimplemented && name == kMapsFiles) {
      out.maps_files = value != 0;
      continue;
    }
    (unimplemented ? out.unimplemented_syscalls : out.counters)[name] = value;
  }
  return out;
}

std::string unimplemented_lines(const vmm::Stats& stats) {
  std::string text;
  for (const auto& [number, calls] : stats.unimplemented_syscalls) {
    text += "\nunimplemented call " + vmm::syscall_name(number) + ": " + std::to_string(calls) +
            (calls == 1 ? " time" : " times");
  }
  return text;
}

}  // namespace runhl::shim
