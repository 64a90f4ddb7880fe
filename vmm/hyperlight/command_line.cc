// SPDX-License-Identifier: Apache-2.0
#include "runhl/vmm/hyperlight/command_line.h"

#include <utility>

namespace runhl::vmm::hyperlight {
namespace {

// Measured on kernels: a longer line is treated as absent, one token more crashes the boot.
constexpr std::size_t kMaxLine = 4095;
constexpr std::size_t kMaxTokens = 59;

constexpr std::size_t kMaxMounts = 32;
constexpr std::size_t kMaxTable = 3584;

// The list of mounts, be it empty, makes the `--` behind it the separator, so that one among the
// arguments is none.
constexpr std::size_t kStartTokens = 3;

Result<std::string> start_of_line(std::span<const HostMount> mounts) {
  std::string table;
  for (std::size_t i = 0; i < mounts.size(); ++i) {
    table.append(i == 0 ? "" : " ").append(mount_entry(i, mounts[i]));
  }
  if (mounts.size() > kMaxMounts || table.size() > kMaxTable) {
    return fail(ErrorCode::InvalidArgument,
                "more mounts than upstream kernels take: 32, and 3584 bytes of their paths");
  }
  return "unikraft-hyperlight vfs.fstab=[" + table + "] --";
}

/// A word that the tokenizer leaves as it is: it cuts at blanks, and knows ', " and \.
bool is_plain(std::string_view word) {
  return word.find_first_of(" \t\n\r\v'\"\\") == std::string_view::npos;
}

/// Between double quotes \" and \\ are escapes, and all else stands for itself.
std::string quoted(std::string_view word) {
  std::string text = "\"";
  for (const char c : word) {
    if (c == '"' || c == '\\') {
      text += '\\';
    }
    text += c;
  }
  return text + '"';
}

Result<void> add(std::string_view word, std::string* line) {
  if (word.empty()) {
    return fail(ErrorCode::InvalidArgument,
                "an empty argument, which upstream kernels drop from the command line");
  }
  if (word.find('\0') != std::string_view::npos) {
    return fail(ErrorCode::InvalidArgument, "an argument with a NUL");
  }
  line->append(" ").append(is_plain(word) ? std::string(word) : quoted(word));
  return {};
}

}  // namespace

std::string mount_entry(std::size_t index, const HostMount& mount) {
  return std::to_string(index) + ":" + mount.target +
         (mount.read_only ? ":hostfs:0x1::mkmp" : ":hostfs:0x0::mkmp");
}

Result<std::string> make_command_line(std::span<const HostMount> mounts, std::string_view entry,
                                      std::span<const std::string> args) {
  const std::string start = TRY(start_of_line(mounts));
  const std::size_t tokens = kStartTokens + (mounts.empty() ? 0 : mounts.size() - 1);
  std::string line = start;
  if (!entry.empty()) {
    TRY(add(entry, &line));
  }
  for (const std::string& arg : args) {
    TRY(add(arg, &line));
  }
  if (line.size() > kMaxLine) {
    return fail(ErrorCode::InvalidArgument,
                "program and arguments of " + std::to_string(line.size() - start.size()) +
                    " bytes; upstream kernels take " + std::to_string(kMaxLine - start.size()));
  }
  if (tokens + 1 + args.size() > kMaxTokens) {
    return fail(ErrorCode::InvalidArgument, std::to_string(args.size()) +
                                                " arguments; upstream kernels take " +
                                                std::to_string(kMaxTokens - tokens - 1));
  }
  return line;
}

Result<std::string> make_argument_line(std::span<const std::string> args) {
  std::string line;
  for (const std::string& arg : args) {
    TRY(add(arg, &line));
  }
  return line.empty() ? line : line.substr(1);
}

}  // namespace runhl::vmm::hyperlight
