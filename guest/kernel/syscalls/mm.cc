// SPDX-License-Identifier: Apache-2.0
// Memory calls: thin over mm/address_space.h.
#include <linux/capability.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <span>

#include "mm/aspace.h"
#include "runhl/abi/layout.h"
#include "sched/long_work.h"
#include "syscalls/context.h"
#include "syscalls/handlers.h"

namespace runhl::kernel {
namespace {

constexpr std::uint32_t kProtections = PROT_READ | PROT_WRITE | PROT_EXEC;
constexpr std::uint32_t kProtSem = 8;
constexpr int kSoftOffline = 101;  // MADV_SOFT_OFFLINE, which glibc 2.36 does not name
// Linux: what MAP_SHARED_VALIDATE knows (LEGACY_MAP_MASK); MAP_SYNC is for DAX files alone.
constexpr std::uint32_t kKnownFlags = MAP_SHARED | MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS |
                                      MAP_DENYWRITE | MAP_EXECUTABLE | MAP_GROWSDOWN | MAP_LOCKED |
                                      MAP_NORESERVE | MAP_POPULATE | MAP_NONBLOCK | MAP_STACK |
                                      MAP_HUGETLB | MAP_32BIT | (0x3fU << MAP_HUGE_SHIFT);

/// The old kernels' legacy type 0 is invalid.
Result<void> check_type(std::uint32_t flags, bool file) {
  switch (flags & MAP_TYPE) {
    case MAP_SHARED:
    case MAP_PRIVATE:
      return {};
    case MAP_SHARED_VALIDATE:
      if (!file) {
        return fail(EINVAL);
      }
      return (flags & ~kKnownFlags) != 0 ? fail(EOPNOTSUPP) : Result<void>{};
    default:
      return fail(EINVAL);
  }
}

/// A machine without reserved huge pages, of the sizes 2 MiB and 1 GiB.
Result<void> check_huge(std::uint32_t flags, bool file) {
  if ((flags & MAP_HUGETLB) == 0) {
    return {};
  }
  const std::uint32_t size = flags >> MAP_HUGE_SHIFT & MAP_HUGE_MASK;
  return file || (size != 0 && size != 21 && size != 30) ? fail(EINVAL) : fail(ENOMEM);
}

std::uint64_t lock_limit() {
  const Task& task = current();
  return task.credentials.has(CAP_IPC_LOCK) ? ~0ULL : task.process->rlimits[RLIMIT_MEMLOCK].soft;
}

Result<void> check_may_lock() {
  return lock_limit() == 0 ? fail(EPERM) : Result<void>{};
}

SyscallResult lock_range(UserAddress start, std::uint64_t length, bool populate) {
  TRY(check_may_lock());
  const UserAddress first = align_down(start, kPageSize);
  const std::uint64_t whole = align_up(length + (start - first), kPageSize);
  if (whole < length || first + whole < first) {
    return fail(EINVAL);
  }
  TRY(current_mm().lock_range(first, whole, lock_limit(), populate));
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
  const bool file = (request.flags & MAP_ANONYMOUS) == 0;
  Ref<File> object;
  if (file) {
    object = TRY(current_files().get(to_fd(args.a4)));
  }
  TRY(check_huge(request.flags, file));
  if (request.length == 0) {
    return fail(EINVAL);
  }
  TRY(check_type(request.flags, file));
  if ((request.flags & MAP_LOCKED) != 0) {
    TRY(check_may_lock());
    if (request.length > lock_limit() - std::min(lock_limit(), current_mm().locked_bytes())) {
      return fail(EAGAIN);
    }
  }
  const bool shared = (request.flags & MAP_TYPE) != MAP_PRIVATE;
  if (file) {
    request.max_protection = TRY(object->check_map(request.protection, shared));
    request.object = object->maps_as_anonymous() ? nullptr : object;
  }
  return current_mm().map(request);
}

SyscallResult sys_munmap(const SyscallArgs& args) {
  TRY(current_mm().unmap(args.a0, args.a1));
  return 0;
}

SyscallResult sys_mprotect(const SyscallArgs& args) {
  constexpr std::uint32_t kGrows = PROT_GROWSDOWN | PROT_GROWSUP;
  const std::uint32_t grows = to_u32(args.a2) & kGrows;
  const std::uint32_t protection = to_u32(args.a2) & ~(kGrows | kProtSem);
  if (grows == kGrows || !is_aligned(args.a0, kPageSize)) {
    return fail(EINVAL);
  }
  if (args.a1 == 0) {
    return 0;
  }
  if (args.a0 + align_up(args.a1, kPageSize) <= args.a0) {
    return fail(ENOMEM);
  }
  // Nothing grows upwards on x86.
  if ((protection & ~kProtections) != 0 || grows == PROT_GROWSUP) {
    return fail(EINVAL);
  }
  TRY(current_mm().protect(args.a0, args.a1, protection | grows));
  return 0;
}

SyscallResult sys_mremap(const SyscallArgs& args) {
  return current_mm().remap({.address = args.a0,
                             .old_length = args.a1,
                             .new_length = args.a2,
                             .flags = to_u32(args.a3),
                             .new_address = args.a4});
}

SyscallResult sys_remap_file_pages(const SyscallArgs& args) {
  if (args.a2 != 0) {  // prot
    return fail(EINVAL);
  }
  TRY(current_mm().remap_file_pages(args.a0, args.a1, args.a3));
  return 0;
}

SyscallResult sys_brk(const SyscallArgs& args) {
  return current_mm().set_break(args.a0);
}

SyscallResult sys_madvise(const SyscallArgs& args) {
  const int advice = to_fd(args.a2);
  if ((advice == MADV_HWPOISON || advice == kSoftOffline) &&
      !current().credentials.has(CAP_SYS_ADMIN)) {
    return fail(EPERM);
  }
  TRY(current_mm().advise(args.a0, args.a1, advice));
  return 0;
}

SyscallResult sys_msync(const SyscallArgs& args) {
  TRY(current_mm().sync(args.a0, args.a1, to_fd(args.a2)));
  return 0;
}

SyscallResult sys_mincore(const SyscallArgs& args) {
  TRY(current_mm().require_mapped(args.a0, args.a1));
  std::array<std::byte, 1024> resident;
  const std::uint64_t pages = align_up(args.a1, kPageSize) / kPageSize;
  for (std::uint64_t done = 0; done < pages; done += resident.size()) {
    const auto part =
        std::span(resident).first(std::min<std::uint64_t>(resident.size(), pages - done));
    TRY(aspace::resident(args.a0 + done * kPageSize, part));
    TRY(copy_to_user(args.a2 + done, part.data(), part.size()));
    TRY(take_breath(Interruptible::Killable));
  }
  return 0;
}

SyscallResult sys_mlock(const SyscallArgs& args) {
  return lock_range(args.a0, args.a1, true);
}

SyscallResult sys_mlock2(const SyscallArgs& args) {
  constexpr std::uint64_t kOnFault = MLOCK_ONFAULT;
  if ((args.a2 & ~kOnFault) != 0) {
    return fail(EINVAL);
  }
  return lock_range(args.a0, args.a1, args.a2 == 0);
}

SyscallResult sys_munlock(const SyscallArgs& args) {
  const UserAddress first = align_down(args.a0, kPageSize);
  const std::uint64_t whole = align_up(args.a1 + (args.a0 - first), kPageSize);
  if (whole < args.a1 || first + whole < first) {
    return fail(EINVAL);
  }
  TRY(current_mm().unlock_range(first, whole));
  return 0;
}

SyscallResult sys_mlockall(const SyscallArgs& args) {
  constexpr std::uint64_t kFlags = MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT;
  if (args.a0 == 0 || (args.a0 & ~kFlags) != 0 || args.a0 == MCL_ONFAULT) {
    return fail(EINVAL);
  }
  TRY(check_may_lock());
  const std::uint64_t limit = lock_limit();
  AddressSpace& mm = current_mm();
  if ((args.a0 & MCL_CURRENT) != 0) {
    TRY(mm.lock_all(limit, (args.a0 & MCL_ONFAULT) == 0));
  }
  mm.lock_future((args.a0 & MCL_FUTURE) != 0, limit);
  return 0;
}

SyscallResult sys_munlockall(const SyscallArgs& /*args*/) {
  current_mm().unlock_all();
  return 0;
}

// Protection keys: as on a CPU without them.

SyscallResult sys_pkey_mprotect(const SyscallArgs& args) {
  if (to_fd(args.a3) != -1) {
    return fail(EINVAL);
  }
  return sys_mprotect(args);
}

SyscallResult sys_pkey_alloc(const SyscallArgs& args) {
  constexpr std::uint64_t kRights = PKEY_DISABLE_ACCESS | PKEY_DISABLE_WRITE;
  return args.a0 != 0 || (args.a1 & ~kRights) != 0 ? fail(EINVAL) : fail(ENOSPC);
}

SyscallResult sys_pkey_free(const SyscallArgs& /*args*/) {
  return fail(EINVAL);
}

}  // namespace runhl::kernel
