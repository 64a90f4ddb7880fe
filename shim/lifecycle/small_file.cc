// SPDX-License-Identifier: Apache-2.0
#include "lifecycle/small_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>

#include "runhl/base/unique_fd.h"

namespace runhl::shim {
namespace {

Result<void> write_all(int fd, std::string_view content) {
  while (!content.empty()) {
    const ssize_t written = ::write(fd, content.data(), content.size());
    if (written < 0 && errno == EINTR) {
      continue;
    }
    if (written < 0) {
      return fail_errno("write");
    }
    content.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

}  // namespace

Result<std::string> read_file_at(int directory, const std::string& name, std::size_t max_bytes) {
  const UniqueFd fd{
      ::openat(directory, name.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)};
  struct stat info{};
  if (!fd || ::fstat(fd.get(), &info) != 0) {
    return fail_errno(name);
  }
  if (!S_ISREG(info.st_mode)) {
    return fail(ErrorCode::InvalidArgument, name + ": not a regular file");
  }
  std::string text;
  constexpr std::size_t kChunk = 4096;
  while (text.size() <= max_bytes) {
    const std::size_t old_size = text.size();
    text.resize(old_size + kChunk);
    const ssize_t got = ::read(fd.get(), text.data() + old_size, kChunk);
    text.resize(old_size + static_cast<std::size_t>(got > 0 ? got : 0));
    if (got < 0 && errno != EINTR) {
      return fail_errno("read " + name);
    }
    if (got == 0) {
      return text;
    }
  }
  return fail(ErrorCode::InvalidArgument,
              name + ": larger than " + std::to_string(max_bytes) + " bytes");
}

Result<void> replace_file_at(int directory, const std::string& name, std::string_view content,
                             mode_t mode) {
  const std::string temporary = name + ".tmp";
  const UniqueFd fd{::openat(directory, temporary.c_str(),
                             O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, mode)};
  if (!fd) {
    return fail_errno("create " + temporary);
  }
  Result<void> done = with_context(temporary, write_all(fd.get(), content));
  if (done && ::renameat(directory, temporary.c_str(), directory, name.c_str()) != 0) {
    done = fail_errno("rename " + temporary + " to " + name);
  }
  if (!done) {
    (void)::unlinkat(directory, temporary.c_str(), 0);  // nothing half-written stays
  }
  return done;
}

}  // namespace runhl::shim
