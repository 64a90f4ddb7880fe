// SPDX-License-Identifier: Apache-2.0
// What `runhl events --stats` prints: the control groups' figures in runc's words, the guest's own
// beside them.
#include <fcntl.h>

#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>

#include "lifecycle/small_file.h"
#include "monitor/stats_text.h"
#include "runhl/shim/control.h"
#include "runhl/shim/lifecycle.h"

namespace runhl::shim {
namespace {

using nlohmann::json;

constexpr int kTimeoutMs = 5'000;
constexpr std::size_t kMaxBytes = 1UL << 16;

/// The files of a container's control groups, whichever directory has them.
class GroupFiles {
 public:
  explicit GroupFiles(const std::vector<std::string>& directories) : directories_(directories) {}

  [[nodiscard]] std::optional<std::string> text(const std::string& name) const {
    for (const std::string& directory : directories_) {
      std::string path = directory;
      path.append("/").append(name);
      if (auto found = read_file_at(AT_FDCWD, path, kMaxBytes)) {
        return *std::move(found);
      }
    }
    return std::nullopt;
  }
  /// The number in the first of the files that is there; none: "max", or no such file.
  [[nodiscard]] std::optional<std::uint64_t> number(
      std::initializer_list<const char*> names) const {
    for (const char* const name : names) {
      if (const auto found = text(name)) {
        return parse(*found);
      }
    }
    return std::nullopt;
  }
  /// "name value" lines.
  [[nodiscard]] json table(const std::string& name) const {
    json out = json::object();
    const std::string all = text(name).value_or("");
    for (std::size_t at = 0; at < all.size();) {
      const std::size_t end = std::min(all.find('\n', at), all.size());
      const std::string_view line = std::string_view(all).substr(at, end - at);
      const std::size_t space = line.find(' ');
      if (space != std::string_view::npos) {
        if (const auto value = parse(line.substr(space + 1))) {
          out[std::string(line.substr(0, space))] = *value;
        }
      }
      at = end + 1;
    }
    return out;
  }

 private:
  static std::optional<std::uint64_t> parse(std::string_view text) {
    std::uint64_t value = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
    return parsed.ec == std::errc{} ? std::optional(value) : std::nullopt;
  }

  const std::vector<std::string>& directories_;
};

void put(json& object, const char* name, const std::optional<std::uint64_t>& value) {
  if (value) {
    object[name] = *value;
  }
}

json cpu_of(const GroupFiles& files) {
  constexpr std::uint64_t kNanosPerMicro = 1000;
  json usage = json::object();
  const json stat = files.table("cpu.stat");
  if (stat.contains("usage_usec")) {  // version 2
    usage["total"] = stat["usage_usec"].get<std::uint64_t>() * kNanosPerMicro;
    usage["user"] = stat.value("user_usec", std::uint64_t{0}) * kNanosPerMicro;
    usage["kernel"] = stat.value("system_usec", std::uint64_t{0}) * kNanosPerMicro;
  }
  put(usage, "total", files.number({"cpuacct.usage"}));
  put(usage, "user", files.number({"cpuacct.usage_user"}));
  put(usage, "kernel", files.number({"cpuacct.usage_sys"}));
  json throttling = json::object();
  if (stat.contains("nr_periods")) {
    throttling = {{"periods", stat["nr_periods"]},
                  {"throttledPeriods", stat.value("nr_throttled", std::uint64_t{0})},
                  {"throttledTime", stat.value("throttled_time", std::uint64_t{0})}};
  }
  return {{"usage", usage}, {"throttling", throttling}};
}

json memory_of(const GroupFiles& files) {
  json usage = json::object();
  put(usage, "usage", files.number({"memory.usage_in_bytes", "memory.current"}));
  put(usage, "limit", files.number({"memory.limit_in_bytes", "memory.max"}));
  put(usage, "max", files.number({"memory.max_usage_in_bytes", "memory.peak"}));
  put(usage, "failcnt", files.number({"memory.failcnt"}));
  json out = {{"usage", usage}, {"raw", files.table("memory.stat")}};
  for (const char* const cache : {"cache", "file"}) {
    if (out["raw"].contains(cache)) {
      out["cache"] = out["raw"][cache];
      break;
    }
  }
  return out;
}

json pids_of(const GroupFiles& files) {
  json out = json::object();
  put(out, "current", files.number({"pids.current"}));
  put(out, "limit", files.number({"pids.max"}));
  return out;
}

}  // namespace

Result<std::string> stats_event(const StateRoot& root, const std::string& id) {
  const ContainerView container = TRY(view(root, id));
  if (container.status == oci::Status::Stopped || container.status == oci::Status::Creating) {
    return fail(ErrorCode::WrongState, "container not running");
  }
  const StateDir dir = TRY(root.find(id));
  const GuestCounters guest = TRY(parse_stats_text(
      TRY(control_query(dir, {.operation = ControlOperation::Stats}, kTimeoutMs))));
  const GroupFiles files(container.state.cgroups.directories);
  const json event = {{"type", "stats"},
                      {"id", id},
                      {"data",
                       {{"cpu", cpu_of(files)},
                        {"memory", memory_of(files)},
                        {"pids", pids_of(files)},
                        {"runhl",
                         {{"mapsFiles", guest.maps_files},
                          {"counters", guest.counters},
                          {"unimplementedSyscalls", guest.unimplemented_syscalls}}}}}};
  return event.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace runhl::shim
