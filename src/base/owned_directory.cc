// SPDX-License-Identifier: Apache-2.0
#include "runhl/base/owned_directory.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cstdlib>

namespace runhl {
namespace {

Result<void> make_directories(const std::string& path) {
  for (std::size_t end = path.find('/', 1); end != std::string::npos;
       end = path.find('/', end + 1)) {
    if (::mkdir(path.substr(0, end).c_str(), 0755) < 0 && errno != EEXIST) {
      return fail_errno(path.substr(0, end));
    }
  }
  if (::mkdir(path.c_str(), 0700) < 0 && errno != EEXIST) {
    return fail_errno(path);
  }
  return {};
}

}  // namespace

Result<UniqueFd> open_owned_directory(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd && errno == ENOENT) {
    TRY(make_directories(path));
    fd.reset(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }
  struct stat info{};
  if (!fd || ::fstat(fd.get(), &info) < 0) {
    return fail_errno(path);
  }
  if (info.st_uid != ::geteuid() || (info.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return fail(ErrorCode::Permission, path + ": belongs to another user or is open to others");
  }
  return fd;
}

Result<std::string> user_directory(const char* variable, const std::string& in_home,
                                   const std::string& below) {
  // NOLINTBEGIN(concurrency-mt-unsafe): verbs have one thread
  if (const char* const given = std::getenv(variable); given != nullptr && *given == '/') {
    return std::string(given) + "/" + below;
  }
  if (const char* const home = std::getenv("HOME"); home != nullptr && *home == '/') {
    return std::string(home) + "/" + in_home + "/" + below;
  }
  // NOLINTEND(concurrency-mt-unsafe)
  return fail(ErrorCode::NotFound,
              std::string("neither ") + variable + " nor HOME names a directory");
}

}  // namespace runhl
