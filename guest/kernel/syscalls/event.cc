// SPDX-License-Identifier: Apache-2.0
// eventfd, eventfd2.
#include "fs/objects/event_file.h"
#include "syscalls/context.h"
#include "syscalls/handlers.h"

namespace runhl::kernel {
namespace {

constexpr std::uint32_t kSemaphore = 1;  // EFD_SEMAPHORE; the other flags are O_CLOEXEC, O_NONBLOCK

SyscallResult do_eventfd(std::uint32_t value, std::uint32_t flags) {
  if ((flags & ~(kSemaphore | std::uint32_t{O_CLOEXEC | O_NONBLOCK})) != 0) {
    return fail(EINVAL);
  }
  const auto reads =
      (flags & kSemaphore) != 0 ? EventFile::Reads::OneByOne : EventFile::Reads::WholeCounter;
  return install_file(TRY(make_ref<EventFile>(value, reads, O_RDWR | (flags & O_NONBLOCK))), flags);
}

}  // namespace

SyscallResult sys_eventfd(const SyscallArgs& args) {
  return do_eventfd(to_u32(args.a0), 0);
}

SyscallResult sys_eventfd2(const SyscallArgs& args) {
  return do_eventfd(to_u32(args.a0), to_u32(args.a1));
}

}  // namespace runhl::kernel
