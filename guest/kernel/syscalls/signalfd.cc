// SPDX-License-Identifier: Apache-2.0
// signalfd, signalfd4.
#include "core/linux_signal.h"
#include "fs/objects/signal_file.h"
#include "syscalls/context.h"
#include "syscalls/handlers.h"

namespace runhl::kernel {
namespace {

SyscallResult do_signalfd(const SyscallArgs& args, std::uint32_t flags) {
  if (args.a2 != sizeof(SignalSet) || (flags & ~std::uint32_t{O_CLOEXEC | O_NONBLOCK}) != 0) {
    return fail(EINVAL);
  }
  const SignalSet wanted = TRY(UserIn<SignalSet>(args.a1).copy_in());
  const SignalSet set = wanted & ~(signal_bit(SIGKILL) | signal_bit(SIGSTOP));
  const int fd = to_fd(args.a0);
  if (fd == -1) {
    return install_file(TRY(make_ref<SignalFile>(set, O_RDWR | (flags & O_NONBLOCK))), flags);
  }
  const Ref<File> file = TRY(current_files().get(fd));
  SignalFile* const existing = file->as_signal_file();
  if (existing == nullptr) {
    return fail(EINVAL);
  }
  existing->set_signals(set);
  return static_cast<std::uint64_t>(fd);
}

}  // namespace

SyscallResult sys_signalfd(const SyscallArgs& args) {
  return do_signalfd(args, 0);
}

SyscallResult sys_signalfd4(const SyscallArgs& args) {
  return do_signalfd(args, to_u32(args.a3));
}

}  // namespace runhl::kernel
