// SPDX-License-Identifier: Apache-2.0
#include "lifecycle/passwd.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>

#include "runhl/base/unique_fd.h"

namespace runhl::shim {
namespace {

constexpr std::string_view kHomeName = "HOME=";
constexpr std::size_t kMaxPasswdBytes = 1024UL * 1024;

std::string read_passwd(const std::string& rootfs) {
  const UniqueFd root{::open(rootfs.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};
  open_how how{};
  how.flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  const UniqueFd file{
      static_cast<int>(::syscall(SYS_openat2, root.get(), "etc/passwd", &how, sizeof(how)))};
  struct stat info{};
  std::string text;
  if (!file || ::fstat(file.get(), &info) != 0 || !S_ISREG(info.st_mode) || info.st_size <= 0) {
    return text;
  }
  text.resize(std::min(static_cast<std::size_t>(info.st_size), kMaxPasswdBytes));
  const ssize_t got = ::read(file.get(), text.data(), text.size());
  text.resize(static_cast<std::size_t>(got > 0 ? got : 0));
  return text;
}

/// Field `index` of a line, empty when there are fewer.
std::string_view field(std::string_view line, int index) {
  for (; index > 0; --index) {
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) {
      return {};
    }
    line.remove_prefix(colon + 1);
  }
  return line.substr(0, line.find(':'));
}

/// The line of `uid`, empty when there is none.
std::string_view line_of(std::string_view passwd, std::uint32_t uid) {
  constexpr int kUidField = 2;
  while (!passwd.empty()) {
    const std::size_t end = passwd.find('\n');
    const std::string_view line = passwd.substr(0, end);
    passwd.remove_prefix(end == std::string_view::npos ? passwd.size() : end + 1);
    const std::string_view number = field(line, kUidField);
    std::uint32_t line_uid = 0;
    const auto parsed = std::from_chars(number.begin(), number.end(), line_uid);
    if (!number.empty() && parsed.ec == std::errc() && parsed.ptr == number.end() &&
        line_uid == uid) {
      return line;
    }
  }
  return {};
}

}  // namespace

std::string home_in_passwd(std::string_view passwd, std::uint32_t uid) {
  constexpr int kHomeField = 5;
  const std::string_view home = field(line_of(passwd, uid), kHomeField);
  const bool usable = !home.empty() && home.find('\0') == std::string_view::npos;
  return usable ? std::string(home) : "/";
}

std::string name_in_passwd(std::string_view passwd, std::uint32_t uid) {
  return std::string(field(line_of(passwd, uid), 0));
}

void add_home(const std::string& rootfs, std::uint32_t uid, std::vector<std::string>* env) {
  const auto given = std::find_if(env->begin(), env->end(), [](const std::string& entry) {
    return entry.starts_with(kHomeName);
  });
  if (given != env->end() && given->size() > kHomeName.size()) {
    return;
  }
  std::string entry = std::string(kHomeName) + home_in_passwd(read_passwd(rootfs), uid);
  if (given != env->end()) {
    *given = std::move(entry);
  } else {
    env->push_back(std::move(entry));
  }
}

}  // namespace runhl::shim
