// SPDX-License-Identifier: Apache-2.0
// execve and execveat: the image of the one process is replaced in place.
#include <fcntl.h>
#include <linux/limits.h>
#include <sys/resource.h>

#include <algorithm>
#include <csignal>

#include "fs/proc/process_files.h"
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

/// An open file as a program.
Result<Owned<PathWalk>> walk_to_descriptor(int fd) {
  const Ref<File> file = TRY(current_files().get_any(fd));
  Owned<PathWalk> walk = TRY(PathWalk::create(current().fs->root()));
  TRY(walk->set_object([&](LinkStop& stop) { return jump_to_file(stop, file); }));
  return walk;
}

/// The name that a script's interpreter is given for what was named relative to a descriptor.
Result<Text> descriptor_name(int fd, std::string_view path) {
  TextWriter name;
  name.add("/dev/fd/", fd);
  if (!path.empty()) {
    name.add('/', path);
  }
  return Text::copy(name.view());
}

Result<void> set_program(ExecRequest& request, int dirfd, UserAddress path, std::uint32_t flags) {
  if (names_descriptor(dirfd, path, flags)) {
    request.walk = TRY(walk_to_descriptor(dirfd));
    request.file_name = TRY(descriptor_name(dirfd, {}));
  } else {
    const bool may_be_empty = (flags & AT_EMPTY_PATH) != 0;
    request.walk = TRY(walk_from(dirfd, path, may_be_empty ? EmptyPath::Allow : EmptyPath::Refuse));
    const std::string_view given = request.walk->given();
    if (dirfd == AT_FDCWD || given.starts_with('/')) {
      request.file_name = TRY(Text::copy(given));
      return {};
    }
    request.file_name = TRY(descriptor_name(dirfd, given));
  }
  request.name_will_be_gone = TRY(current_files().close_on_exec(dirfd)) == CloseOnExec::Yes;
  return {};
}

struct ExecArguments {
  int dirfd = AT_FDCWD;
  UserAddress path = 0, arguments = 0, environment = 0;
  std::uint32_t flags = 0;  // AT_*
};

Result<ExecRequest> copy_request(const ExecArguments& from) {
  ExecRequest request;
  TRY(set_program(request, from.dirfd, from.path, from.flags));
  if ((from.flags & AT_SYMLINK_NOFOLLOW) != 0) {
    request.follow = Follow::No;
  }
  const std::uint64_t limit = vector_limit();
  TRY(request.arguments.copy_from_program(from.arguments, limit));
  TRY(request.environment.copy_from_program(from.environment, limit));
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
    process_exit(SIGSEGV);  // nothing is left that an error could be told to
  }
  if (!done) {
    return tl::unexpected(done.error());
  }
  return 0;
}

}  // namespace

SyscallResult sys_execve(const SyscallArgs& args) {
  return do_exec(TRY(
      copy_request({.path = args.a0, .arguments = args.a1, .environment = args.a2, .flags = 0})));
}

SyscallResult sys_execveat(const SyscallArgs& args) {
  const std::uint32_t flags = to_u32(args.a4);
  if ((flags & ~std::uint32_t{AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW}) != 0) {
    return fail(EINVAL);
  }
  return do_exec(TRY(copy_request({.dirfd = to_fd(args.a0),
                                   .path = args.a1,
                                   .arguments = args.a2,
                                   .environment = args.a3,
                                   .flags = flags})));
}

}  // namespace runhl::kernel
