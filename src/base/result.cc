// SPDX-License-Identifier: Apache-2.0
#include "runhl/base/result.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace runhl {
namespace {

ErrorCode code_of(int os_errno) {
  switch (os_errno) {
    case ENOENT:
      return ErrorCode::NotFound;
    case EEXIST:
      return ErrorCode::AlreadyExists;
    case EPERM:
    case EACCES:
      return ErrorCode::Permission;
    case EINVAL:
      return ErrorCode::InvalidArgument;
    default:
      return ErrorCode::Io;
  }
}

}  // namespace

tl::unexpected<Error> fail_errno(std::string_view what, int os_errno) {
  std::string message(what);
  const char* text = strerrordesc_np(os_errno);
  message.append(": ").append(text != nullptr ? text : "unknown error");
  return tl::unexpected(Error{code_of(os_errno), os_errno, std::move(message)});
}

void check_failed(const char* condition, const char* file, int line) {
  (void)std::fprintf(stderr, "runhl: bug: %s at %s:%d\n", condition, file, line);
  std::abort();
}

}  // namespace runhl
