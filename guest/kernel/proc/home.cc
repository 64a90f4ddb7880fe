// SPDX-License-Identifier: Apache-2.0
#include "proc/home.h"

#include <fcntl.h>

#include <algorithm>

#include "fs/text.h"
#include "fs/vfs.h"
#include "mm/heap.h"
#include "runhl/core/units.h"

namespace runhl::kernel {
namespace {

constexpr std::size_t kMaxPasswd = 256 * kKiB;  // a longer file is searched this far

/// Cuts the text before `separator` off `rest`.
std::string_view take_field(std::string_view& rest, char separator) {
  const std::size_t end = std::min(rest.find(separator), rest.size());
  const std::string_view field = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return field;
}

bool is_number(std::string_view text, std::uint32_t wanted) {
  std::uint64_t value = 0;
  for (const char digit : text) {
    if (digit < '0' || digit > '9' || value > ~0U) {
      return false;
    }
    value = value * 10 + static_cast<std::uint64_t>(digit - '0');
  }
  return !text.empty() && value == wanted;
}

Result<Text> read_passwd() {
  const Owned<PathWalk> walk = TRY(walk_from_cwd("/etc/passwd"));
  const Ref<File> file = TRY(vfs_open(*walk, {.flags = O_RDONLY | O_NONBLOCK}));
  const std::size_t size = std::min<std::size_t>(TRY(file->attributes()).size, kMaxPasswd);
  if (size == 0) {
    return Text{};
  }
  return Text::read(size, [&file](std::span<char> room) -> Result<std::size_t> {
    IoBuffer buffer{std::as_writable_bytes(room)};
    return file->read_at(buffer, 0);
  });
}

}  // namespace

std::string_view find_home(std::string_view passwd, std::uint32_t uid) {
  // name:password:uid:gid:gecos:home:shell
  while (!passwd.empty()) {
    std::string_view line = take_field(passwd, '\n');
    (void)take_field(line, ':');
    (void)take_field(line, ':');
    if (!is_number(take_field(line, ':'), uid)) {
      continue;
    }
    (void)take_field(line, ':');
    (void)take_field(line, ':');
    return take_field(line, ':');
  }
  return {};
}

Result<void> add_home(StringBlock& environment, std::uint32_t uid) {
  if (!environment.find_variable("HOME").empty()) {
    return {};
  }
  std::string_view home = "/";
  const Result<Text> passwd = read_passwd();  // absent or unreadable: "/" it is
  if (passwd) {
    const std::string_view found = find_home(passwd->view(), uid);
    home = found.empty() ? home : found;
  }
  const Text entry = TRY(Text::join("HOME=", home));
  return environment.append(entry.view());
}

}  // namespace runhl::kernel
