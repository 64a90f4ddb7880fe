// SPDX-License-Identifier: Apache-2.0
#include "lifecycle/small_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>

#include "runhl/base/file_io.h"
#include "runhl/base/unique_fd.h"

namespace runhl::shim {

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
  std::string text = TRY(read_up_to(fd.get(), max_bytes + 1, "read " + name));
  if (text.size() > max_bytes) {
    return fail(ErrorCode::InvalidArgument,
                name + ": larger than " + std::to_string(max_bytes) + " bytes");
  }
  return text;
}

Result<void> replace_file_at(int directory, const std::string& name, std::string_view content,
                             mode_t mode) {
  const std::string temporary = name + ".tmp";
  const UniqueFd fd{::openat(directory, temporary.c_str(),
                             O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, mode)};
  if (!fd) {
    return fail_errno("create " + temporary);
  }
  Result<void> done = with_context(temporary, write_all(fd.get(), content, "write"));
  if (done && ::renameat(directory, temporary.c_str(), directory, name.c_str()) != 0) {
    done = fail_errno("rename " + temporary + " to " + name);
  }
  if (!done) {
    (void)::unlinkat(directory, temporary.c_str(), 0);  // nothing half-written stays
  }
  return done;
}

}  // namespace runhl::shim
