// SPDX-License-Identifier: Apache-2.0
// The log, in runc's shapes: engines append to one file a container and read its last error line.
//
//   TRY(log_configure({.file = "/run/c1/log.json", .format = LogFormat::Json}));
//   log_warn("lowering oom_score_adj to {} is not permitted", score);
//
//   text  time="2006-01-02T15:04:05Z" level=error msg="…"
//   json  {"level":"error","msg":"…","time":"2006-01-02T15:04:05Z"}
//
// Without a file the lines go to stderr. With one an error goes to both: to stderr as bare text,
// since podman reads nothing else. Nothing is set up before the first line. Format strings are
// fmt's; one that does not fit its arguments is logged as it is.
//
// Not thread-safe before log_configure has returned; afterwards lines of threads do not mix.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>

#include "runhl/base/result.h"

namespace runhl {

enum class LogLevel : std::uint8_t { Debug, Info, Warning, Error };
enum class LogFormat : std::uint8_t { Text, Json };

struct LogOptions {
  std::string file;  ///< appended to; empty: stderr
  LogFormat format = LogFormat::Text;
  bool debug = false;  ///< log_debug lines too
};

/// Opens the file. Errors: NotFound, Permission (names the path).
Result<void> log_configure(const LogOptions& options);

/// The log file's descriptor, -1 without a file: what a long-lived process keeps when it closes the
/// rest.
int log_descriptor();

/// From now on nothing goes to stderr: its owner is somebody else (the container).
void log_leave_stderr();

[[nodiscard]] bool log_debug_enabled();

using LogArgument = std::variant<std::int64_t, std::uint64_t, double, std::string_view>;
void log_write(LogLevel level, std::string_view format,
               std::initializer_list<LogArgument> arguments);

namespace log_internal {
template <typename T>
LogArgument argument(const T& value) {
  if constexpr (std::is_convertible_v<const T&, std::string_view>) {
    return std::string_view(value);
  } else if constexpr (std::is_floating_point_v<T>) {
    return static_cast<double>(value);
  } else if constexpr (std::is_signed_v<T>) {
    return static_cast<std::int64_t>(value);
  } else {
    return static_cast<std::uint64_t>(value);
  }
}
}  // namespace log_internal

template <typename... Args>
void log_debug(std::string_view format, const Args&... args) {
  if (log_debug_enabled()) {
    log_write(LogLevel::Debug, format, {log_internal::argument(args)...});
  }
}
template <typename... Args>
void log_info(std::string_view format, const Args&... args) {
  log_write(LogLevel::Info, format, {log_internal::argument(args)...});
}
template <typename... Args>
void log_warn(std::string_view format, const Args&... args) {
  log_write(LogLevel::Warning, format, {log_internal::argument(args)...});
}
template <typename... Args>
void log_error(std::string_view format, const Args&... args) {
  log_write(LogLevel::Error, format, {log_internal::argument(args)...});
}

}  // namespace runhl
