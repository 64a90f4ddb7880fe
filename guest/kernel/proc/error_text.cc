// SPDX-License-Identifier: Apache-2.0
#include "proc/error_text.h"

#include <algorithm>

#include "core/result.h"

namespace runhl::kernel {

std::string_view error_text(int error) {
  switch (error) {
    case EPERM:
      return "operation not permitted";
    case ENOENT:
      return "no such file or directory";
    case EIO:
      return "input/output error";
    case ENXIO:
      return "no such device or address";
    case E2BIG:
      return "argument list too long";
    case ENOEXEC:
      return "exec format error";
    case ENOMEM:
      return "cannot allocate memory";
    case EACCES:
      return "permission denied";
    case EBUSY:
      return "device or resource busy";
    case ENODEV:
      return "no such device";
    case ENOTDIR:
      return "not a directory";
    case EISDIR:
      return "is a directory";
    case EINVAL:
      return "invalid argument";
    case ENOSPC:
      return "no space left on device";
    case EROFS:
      return "read-only file system";
    case ENAMETOOLONG:
      return "file name too long";
    case ELOOP:
      return "too many levels of symbolic links";
    case ELIBBAD:
      return "accessing a corrupted shared library";
    default:
      return "unexpected error";
  }
}

void set_failure(BootFailure& failure, std::initializer_list<std::string_view> parts) {
  std::size_t at = 0;
  for (const std::string_view part : parts) {
    const std::size_t size = std::min(part.size(), failure.message.size() - 1 - at);
    std::copy_n(part.data(), size, failure.message.data() + at);
    at += size;
  }
  failure.message[at] = '\0';
}

}  // namespace runhl::kernel
