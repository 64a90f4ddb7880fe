// SPDX-License-Identifier: Apache-2.0
// execve: the image of the one process is replaced in place.
#include <fcntl.h>
#include <linux/limits.h>
#include <signal.h>
#include <sys/resource.h>

#include <algorithm>

#include "fs/vfs.h"
#include "proc/exec_program.h"
#include "proc/process.h"
#include "syscalls/context.h"
#include "syscalls/handlers.h"

namespace runhl::kernel {
namespace {

/// What arguments and environment may take together (Linux: a quarter of the stack, 6 MiB at most).
std::uint64_t vector_limit() {
  const std::uint64_t stack = current().process->rlimits[RLIMIT_STACK].soft;
  return std::clamp<std::uint64_t>(stack / 4, 128 * kKiB, 6 * kMiB);
}

Result<ExecRequest> copy_request(int dirfd, UserAddress path, UserAddress arguments,
                                 UserAddress environment) {
  ExecRequest request;
  request.walk = TRY(walk_from(dirfd, path));
  request.file_name = TRY(Text::copy(request.walk->given()));
  const std::uint64_t limit = vector_limit();
  TRY(request.arguments.copy_from_program(arguments, limit));
  TRY(request.environment.copy_from_program(environment, limit));
  if (request.arguments.count() == 0) {
    TRY(request.arguments.append(""));  // as Linux since 5.18
  }
  // The name, the strings and the pointers to them count together.
  const std::uint64_t strings = request.file_name.view().size() + 1 +
                                request.arguments.bytes().size() +
                                request.environment.bytes().size();
  const std::uint64_t pointers =
      (request.arguments.count() + request.environment.count()) * sizeof(UserAddress);
  if (strings + pointers > limit) {
    return fail(E2BIG);
  }
  return request;
}

SyscallResult do_exec(ExecRequest request) {
  OldImage old_image{};
  const Result<void> done = exec_program(std::move(request), old_image);
  if (!done && old_image == OldImage::Gone) {
    process_exit(SIGKILL);  // nothing is left that an error could be told to
  }
  if (!done) {
    return tl::unexpected(done.error());
  }
  return 0;
}

}  // namespace

SyscallResult sys_execve(const SyscallArgs& args) {
  return do_exec(TRY(copy_request(AT_FDCWD, args.a0, args.a1, args.a2)));
}

SyscallResult sys_execveat(const SyscallArgs& args) {
  if (args.a4 != 0) {
    return fail(EINVAL);  // AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW: not yet
  }
  return do_exec(TRY(copy_request(to_fd(args.a0), args.a1, args.a2, args.a3)));
}

}  // namespace runhl::kernel
