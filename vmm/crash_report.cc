// SPDX-License-Identifier: Apache-2.0
#include "crash_report.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>

namespace runhl::vmm {
namespace {

constexpr std::array<const char*, 18> kRegisterNames = {
    "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp", "r8",
    "r9",  "r10", "r11", "r12", "r13", "r14", "r15", "rip", "rflags"};

std::string hex(std::uint64_t value) {
  std::array<char, 20> text{};
  (void)std::snprintf(text.data(), text.size(), "%016llx", static_cast<unsigned long long>(value));
  return text.data();
}

// The guest chose these bytes: nothing of them may steer a terminal.
template <std::size_t N>
std::string printable(const std::array<char, N>& bytes) {
  std::string text(bytes.begin(), std::find(bytes.begin(), bytes.end(), '\0'));
  std::replace_if(text.begin(), text.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return text;
}

}  // namespace

std::string symbolise(std::uint64_t address, std::string_view symbols) {
  std::string_view best_name;
  std::uint64_t best = 0;
  while (!symbols.empty()) {
    const std::size_t end = std::min(symbols.find('\n'), symbols.size());
    const std::string_view line = symbols.substr(0, end);
    symbols.remove_prefix(std::min(end + 1, symbols.size()));
    std::uint64_t at = 0;
    const auto parsed = std::from_chars(line.data(), line.data() + line.size(), at, 16);
    const auto digits = static_cast<std::size_t>(parsed.ptr - line.data());
    if (parsed.ec != std::errc{} || digits + 1 >= line.size()) {
      continue;
    }
    if (at > address) {
      break;
    }
    best = at;
    best_name = line.substr(digits + 1);
  }
  if (best_name.empty()) {
    return {};
  }
  std::array<char, 20> offset{};
  const auto written =
      std::to_chars(offset.data(), offset.data() + offset.size(), address - best, 16);
  return std::string(best_name) + "+0x" + std::string(offset.data(), written.ptr);
}

std::string describe_panic(const abi::PanicReport& report, std::string_view symbols) {
  std::string text = "guest kernel panic: " + printable(report.message) + "\n";
  text += "  task " + std::to_string(report.task) + " (" + printable(report.task_name) + ")";
  if (report.signal != 0) {
    text += ", host signal " + std::to_string(report.signal) + " at " + hex(report.fault_address);
  }
  text += '\n';
  for (std::size_t i = 0; i < kRegisterNames.size(); ++i) {
    text += "  " + std::string(kRegisterNames.at(i)) + " " + hex(report.registers.at(i)) +
            (i % 3 == 2 ? "\n" : "");
  }
  const std::size_t frames = std::min<std::size_t>(report.backtrace_length, abi::kMaxBacktrace);
  for (std::size_t i = 0; i < frames; ++i) {
    text += "  #" + std::to_string(i) + " " + hex(report.backtrace.at(i)) + " " +
            symbolise(report.backtrace.at(i), symbols) + "\n";
  }
  return text;
}

}  // namespace runhl::vmm
