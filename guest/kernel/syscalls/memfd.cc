// SPDX-License-Identifier: Apache-2.0
// memfd_create.
#include <fcntl.h>
#include <linux/memfd.h>

#include <array>

#include "fs/tmpfs/memory_file.h"
#include "syscalls/context.h"
#include "syscalls/handlers.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U  // include/uapi/linux/memfd.h
#define MFD_EXEC 0x0010U
#endif
#ifndef F_SEAL_EXEC
#define F_SEAL_EXEC 0x0020  // include/uapi/linux/fcntl.h
#endif

namespace runhl::kernel {

SyscallResult sys_memfd_create(const SyscallArgs& args) {
  constexpr std::size_t kMaxName = 250;  // NAME_MAX less "memfd:", with the NUL
  constexpr std::uint32_t kKnown = MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL | MFD_EXEC;
  const std::uint32_t flags = to_u32(args.a1);
  if ((flags & ~kKnown) != 0 ||
      (flags & (MFD_NOEXEC_SEAL | MFD_EXEC)) == (MFD_NOEXEC_SEAL | MFD_EXEC)) {
    return fail(EINVAL);
  }
  std::array<char, kMaxName> name{};
  const Result<std::size_t> length = copy_string_from_user(name, args.a0);
  if (!length) {
    return fail(to_int(length.error()) == ENAMETOOLONG ? EINVAL : to_int(length.error()));
  }
  const bool never_executable = (flags & MFD_NOEXEC_SEAL) != 0;
  std::uint32_t seals = F_SEAL_SEAL;
  if (never_executable) {
    seals = F_SEAL_EXEC;
  } else if ((flags & MFD_ALLOW_SEALING) != 0) {
    seals = 0;
  }
  const std::string_view text(name.data(), *length);
  Ref<File> file = TRY(open_memory_file(text, never_executable ? 0666 : 0777, seals));
  return install_file(std::move(file), (flags & MFD_CLOEXEC) != 0 ? std::uint32_t{O_CLOEXEC} : 0U);
}

}  // namespace runhl::kernel
