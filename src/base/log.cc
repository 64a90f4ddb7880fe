// SPDX-License-Identifier: Apache-2.0
// The only file that knows fmt and spdlog: Debian has no static library of either, so both are
// compiled in here, as headers.
#define FMT_HEADER_ONLY
#define SPDLOG_HEADER_ONLY
#define SPDLOG_FMT_EXTERNAL
#include "runhl/base/log.h"

#include <fcntl.h>
#include <fmt/args.h>
#include <fmt/format.h>
#include <spdlog/formatter.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/base_sink.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>
#include <memory>
#include <mutex>
#include <string>

#include "runhl/base/unique_fd.h"
#include "runhl/base/utf8.h"

namespace runhl {
namespace {

/// Escapes as a JSON string does, which Go's %q (the text shape) reads as well.
void append_quoted(std::string_view text, spdlog::memory_buf_t& out) {
  out.push_back('"');
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if (c == '\n') {
      fmt::format_to(fmt::appender(out), "\\n");
    } else if (c == '\t') {
      fmt::format_to(fmt::appender(out), "\\t");
    } else if (byte < 0x20 || byte == 0x7f) {
      fmt::format_to(fmt::appender(out), "\\u{:04x}", byte);
    } else {
      out.push_back(c);
    }
  }
  out.push_back('"');
}

/// A path or a guest's text may be any bytes; a log line that engines decode as JSON may not.
std::string valid_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    out.append(length == 0 ? std::string_view("\xef\xbf\xbd") : text.substr(0, length));
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return out;
}

std::string_view name_of(spdlog::level::level_enum level) {
  switch (level) {
    case spdlog::level::debug:
      return "debug";
    case spdlog::level::info:
      return "info";
    case spdlog::level::warn:
      return "warning";
    default:
      return "error";
  }
}

std::string utc_now(std::chrono::system_clock::time_point time) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
  std::tm parts{};
  (void)::gmtime_r(&seconds, &parts);  // fails for years beyond int alone
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", parts.tm_year + 1900, parts.tm_mon + 1,
                     parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
}

class LineFormatter final : public spdlog::formatter {
 public:
  explicit LineFormatter(LogFormat format) : format_(format) {}

  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) override {
    const std::string text =
        valid_utf8(std::string_view(message.payload.data(), message.payload.size()));
    const std::string time = utc_now(message.time);
    const std::string_view level = name_of(message.level);
    if (format_ == LogFormat::Json) {
      fmt::format_to(fmt::appender(out), R"({{"level":"{}","msg":)", level);
      append_quoted(text, out);
      fmt::format_to(fmt::appender(out), ",\"time\":\"{}\"}}\n", time);
      return;
    }
    fmt::format_to(fmt::appender(out), "time=\"{}\" level={} msg=", time, level);
    append_quoted(text, out);
    out.push_back('\n');
  }
  [[nodiscard]] std::unique_ptr<spdlog::formatter> clone() const override {
    return std::make_unique<LineFormatter>(format_);
  }

 private:
  LogFormat format_;
};

/// One write(2) a line: lines of several processes appending to one file stay whole.
class DescriptorSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit DescriptorSink(int fd) : fd_(fd) {}

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    (void)!::write(fd_, line.data(), line.size());  // there is nobody left to tell
  }
  void flush_() override {}

 private:
  int fd_;
};

struct Log {
  UniqueFd file;
  LogFormat format = LogFormat::Text;
  bool debug = false;
  bool stderr_is_ours = true;
  std::unique_ptr<spdlog::logger> logger;  // made by the first line
};

Log& the_log() {
  static Log log;
  return log;
}

spdlog::logger* logger_of(Log& log) {
  if (!log.file && !log.stderr_is_ours) {
    return nullptr;
  }
  if (!log.logger) {
    auto sink = std::make_shared<DescriptorSink>(log.file ? log.file.get() : STDERR_FILENO);
    log.logger = std::make_unique<spdlog::logger>("runhl", std::move(sink));
    log.logger->set_formatter(std::make_unique<LineFormatter>(log.format));
    log.logger->set_level(spdlog::level::debug);
  }
  return log.logger.get();
}

std::string format_message(std::string_view format, std::initializer_list<LogArgument> arguments) {
  try {
    fmt::dynamic_format_arg_store<fmt::format_context> store;
    for (const LogArgument& argument : arguments) {
      std::visit([&](const auto& value) { store.push_back(value); }, argument);
    }
    return fmt::vformat(fmt::string_view(format.data(), format.size()), store);
  } catch (const std::exception&) {
    return std::string(format);
  }
}

spdlog::level::level_enum level_of(LogLevel level) {
  switch (level) {
    case LogLevel::Debug:
      return spdlog::level::debug;
    case LogLevel::Info:
      return spdlog::level::info;
    case LogLevel::Warning:
      return spdlog::level::warn;
    case LogLevel::Error:
      break;
  }
  return spdlog::level::err;
}

/// The bare line for stderr beside a log file; one line whatever the text holds.
void write_bare(std::string_view text) {
  std::string line(text);
  for (char& c : line) {
    if (c == '\n' || c == '\r') {
      c = ' ';
    }
  }
  line.push_back('\n');
  (void)!::write(STDERR_FILENO, line.data(), line.size());  // there is nobody left to tell
}

}  // namespace

Result<void> log_configure(const LogOptions& options) {
  Log& log = the_log();
  log.format = options.format;
  log.debug = options.debug;
  log.logger.reset();
  log.file.reset();
  if (options.file.empty()) {
    return {};
  }
  constexpr mode_t kMode = 0644;
  log.file.reset(::open(options.file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, kMode));
  if (!log.file) {
    return fail_errno("open log file " + options.file);
  }
  return {};
}

int log_descriptor() {
  return the_log().file.get();
}

void log_leave_stderr() {
  Log& log = the_log();
  log.stderr_is_ours = false;
  if (!log.file) {
    log.logger.reset();
  }
}

bool log_debug_enabled() {
  return the_log().debug;
}

void log_write(LogLevel level, std::string_view format,
               std::initializer_list<LogArgument> arguments) {
  Log& log = the_log();
  const std::string message = format_message(format, arguments);
  if (spdlog::logger* logger = logger_of(log); logger != nullptr) {
    logger->log(level_of(level), spdlog::string_view_t(message.data(), message.size()));
  }
  if (level == LogLevel::Error && log.file && log.stderr_is_ours) {
    write_bare(message);
  }
}

}  // namespace runhl
