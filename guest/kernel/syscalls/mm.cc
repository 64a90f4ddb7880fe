// SPDX-License-Identifier: Apache-2.0
// Memory calls: thin over mm/address_space.h.
#include <linux/capability.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>

#include "runhl/abi/layout.h"
#include "syscalls/context.h"
#include "syscalls/handlers.h"

namespace runhl::kernel {
namespace {

constexpr std::uint32_t kProtections = PROT_READ | PROT_WRITE | PROT_EXEC;
constexpr std::uint32_t kProtectionHints = 8 /* PROT_SEM */ | PROT_GROWSDOWN | PROT_GROWSUP;

/// The old kernels' legacy type 0 is invalid, MAP_SHARED_VALIDATE is MAP_SHARED here.
Result<void> check_type(std::uint32_t flags) {
  const std::uint32_t type = flags & MAP_TYPE;
  if (type != MAP_SHARED && type != MAP_PRIVATE && type != MAP_SHARED_VALIDATE) {
    return fail(EINVAL);
  }
  if ((flags & MAP_HUGETLB) != 0) {
    return fail(ENOMEM);  // Linux without reserved huge pages
  }
  return {};
}

Result<void> check_lock_limit(std::uint64_t length) {
  const Task& task = current();
  const std::uint64_t limit = task.process->rlimits[RLIMIT_MEMLOCK].soft;
  if (task.credentials.has(CAP_IPC_LOCK) || limit == ~0ULL) {
    return {};
  }
  if (limit == 0) {
    return fail(EPERM);
  }
  return length > limit ? fail(ENOMEM) : Result<void>{};
}

SyscallResult lock_range(UserAddress start, std::uint64_t length) {
  const UserAddress first = align_down(start, kPageSize);
  const std::uint64_t whole = length + (start - first);
  if (whole < length) {
    return fail(EINVAL);
  }
  TRY(check_lock_limit(whole));
  TRY(current_mm().require_mapped(first, whole));
  return 0;
}

}  // namespace

SyscallResult sys_mmap(const SyscallArgs& args) {
  MapRequest request;
  request.address = args.a0;
  request.length = args.a1;
  request.protection = to_u32(args.a2) & kProtections;
  request.flags = to_u32(args.a3);
  request.offset = args.a5;
  if (!is_aligned(args.a5, kPageSize)) {
    return fail(EINVAL);
  }
  TRY(check_type(request.flags));
  if ((request.flags & MAP_ANONYMOUS) == 0) {
    const Ref<File> file = TRY(current_files().get(to_fd(args.a4)));
    const bool shared = (request.flags & MAP_TYPE) != MAP_PRIVATE;
    request.max_protection = TRY(file->check_map(request.protection, shared));
    request.object = file;
  }
  return current_mm().map(request);
}

SyscallResult sys_munmap(const SyscallArgs& args) {
  TRY(current_mm().unmap(args.a0, args.a1));
  return 0;
}

SyscallResult sys_mprotect(const SyscallArgs& args) {
  const std::uint32_t protection = to_u32(args.a2) & ~kProtectionHints;
  if ((protection & ~kProtections) != 0) {
    return fail(EINVAL);
  }
  if (!is_aligned(args.a0, kPageSize)) {
    return fail(EINVAL);
  }
  if (args.a1 == 0) {
    return 0;
  }
  TRY(current_mm().protect(args.a0, args.a1, protection));
  return 0;
}

SyscallResult sys_mremap(const SyscallArgs& args) {
  return current_mm().remap({.address = args.a0,
                             .old_length = args.a1,
                             .new_length = args.a2,
                             .flags = to_u32(args.a3),
                             .new_address = args.a4});
}

SyscallResult sys_brk(const SyscallArgs& args) {
  return current_mm().set_break(args.a0);
}

SyscallResult sys_madvise(const SyscallArgs& args) {
  TRY(current_mm().advise(args.a0, args.a1, to_fd(args.a2)));
  return 0;
}

SyscallResult sys_msync(const SyscallArgs& args) {
  TRY(current_mm().sync(args.a0, args.a1, to_fd(args.a2)));
  return 0;
}

SyscallResult sys_mincore(const SyscallArgs& args) {
  TRY(current_mm().require_mapped(args.a0, args.a1));
  std::array<std::byte, 256> resident;
  resident.fill(std::byte{1});
  const std::uint64_t pages = align_up(args.a1, kPageSize) / kPageSize;
  for (std::uint64_t done = 0; done < pages; done += resident.size()) {
    TRY(copy_to_user(args.a2 + done, resident.data(),
                     std::min<std::uint64_t>(resident.size(), pages - done)));
  }
  return 0;
}

SyscallResult sys_mlock(const SyscallArgs& args) {
  return lock_range(args.a0, args.a1);
}

SyscallResult sys_mlock2(const SyscallArgs& args) {
  if ((args.a2 & ~std::uint64_t{1}) != 0) {  // MLOCK_ONFAULT
    return fail(EINVAL);
  }
  return lock_range(args.a0, args.a1);
}

SyscallResult sys_munlock(const SyscallArgs& args) {
  const UserAddress first = align_down(args.a0, kPageSize);
  TRY(current_mm().require_mapped(first, args.a1 + (args.a0 - first)));
  return 0;
}

SyscallResult sys_mlockall(const SyscallArgs& args) {
  constexpr std::uint64_t kFlags = MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT;
  if (args.a0 == 0 || (args.a0 & ~kFlags) != 0 || args.a0 == MCL_ONFAULT) {
    return fail(EINVAL);
  }
  TRY(check_lock_limit((args.a0 & MCL_CURRENT) != 0 ? current_mm().total_bytes() : 1));
  return 0;
}

SyscallResult sys_munlockall(const SyscallArgs& /*args*/) {
  return 0;
}

}  // namespace runhl::kernel
