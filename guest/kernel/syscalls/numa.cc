// SPDX-License-Identifier: Apache-2.0
// Memory policies on a machine of one node: kept and told, without an effect.
#include <linux/mempolicy.h>

#include <algorithm>

#include "syscalls/context.h"
#include "syscalls/handlers.h"

namespace runhl::kernel {
namespace {

constexpr std::uint64_t kMaxNodeBits = kPageSize * 8;  // Linux's limit on a mask's length
constexpr std::uint64_t kTheNode = 1;
constexpr std::uint32_t kModeFlags =
    MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES | MPOL_F_NUMA_BALANCING;

/// The mask of `bits - 1` bits, of which only node 0 may be set. EINVAL, EFAULT.
Result<std::uint64_t> read_mask(UserAddress mask, std::uint64_t bits) {
  if (mask == 0 || bits <= 1) {
    return 0;
  }
  if (--bits > kMaxNodeBits) {
    return fail(EINVAL);
  }
  std::uint64_t nodes = 0;
  for (std::uint64_t word = 0; word < (bits + 63) / 64; ++word) {
    std::uint64_t value = TRY(UserIn<std::uint64_t>(mask).copy_in(word));
    const std::uint64_t left = bits - word * 64;
    value &= left < 64 ? (1ULL << left) - 1 : ~0ULL;
    if (word != 0 && value != 0) {
      return fail(EINVAL);
    }
    nodes |= value;
  }
  return nodes;
}

Result<MemoryPolicy> read_policy(std::uint64_t mode_and_flags, UserAddress mask,
                                 std::uint64_t bits) {
  const std::uint32_t mode = to_u32(mode_and_flags) & ~kModeFlags;
  const std::uint64_t nodes = TRY(read_mask(mask, bits));
  if (mode >= MPOL_MAX || (nodes & ~kTheNode) != 0) {
    return fail(EINVAL);
  }
  const bool takes_none = mode == MPOL_DEFAULT || mode == MPOL_LOCAL;
  const bool needs_some = !takes_none && mode != MPOL_PREFERRED;
  if ((takes_none && nodes != 0) || (needs_some && nodes == 0)) {
    return fail(EINVAL);
  }
  return MemoryPolicy{.mode = to_u32(mode_and_flags), .nodes = nodes};
}

Result<void> write_mask(UserAddress mask, std::uint64_t bits, std::uint64_t nodes) {
  if (mask == 0) {
    return {};
  }
  if (bits < 2) {  // Linux: shorter than the machine's number of nodes
    return fail(EINVAL);
  }
  const std::uint64_t bytes = ((bits - 1 + 63) / 64) * 8;
  if (bytes > kPageSize) {
    return fail(EINVAL);
  }
  TRY(copy_to_user(mask, &nodes, sizeof nodes));
  return clear_user(mask + sizeof nodes, bytes - sizeof nodes);
}

}  // namespace

SyscallResult sys_set_mempolicy(const SyscallArgs& args) {
  current().memory_policy = TRY(read_policy(args.a0, args.a1, args.a2));
  return 0;
}

SyscallResult sys_mbind(const SyscallArgs& args) {
  constexpr std::uint64_t kFlags = MPOL_MF_STRICT | MPOL_MF_MOVE | MPOL_MF_MOVE_ALL;
  if ((args.a5 & ~kFlags) != 0 || !is_aligned(args.a0, kPageSize)) {
    return fail(EINVAL);
  }
  TRY(read_policy(args.a2, args.a3, args.a4));
  if (args.a1 == 0) {
    return 0;
  }
  const Result<void> mapped = current_mm().require_mapped(args.a0, args.a1);
  return mapped ? SyscallResult(0) : fail(EFAULT);
}

SyscallResult sys_get_mempolicy(const SyscallArgs& args) {
  constexpr std::uint64_t kFlags = MPOL_F_NODE | MPOL_F_ADDR | MPOL_F_MEMS_ALLOWED;
  const std::uint64_t flags = args.a4;
  if ((flags & ~kFlags) != 0) {
    return fail(EINVAL);
  }
  if ((flags & MPOL_F_MEMS_ALLOWED) != 0) {
    if ((flags & (MPOL_F_NODE | MPOL_F_ADDR)) != 0) {
      return fail(EINVAL);
    }
    if (args.a0 != 0) {
      TRY(UserOut<std::int32_t>(args.a0).copy_out(0));
    }
    TRY(write_mask(args.a1, args.a2, kTheNode));
    return 0;
  }
  MemoryPolicy policy = current().memory_policy;
  if ((flags & MPOL_F_ADDR) != 0) {
    if (!current_mm().find(args.a3)) {
      return fail(EFAULT);
    }
    policy = {};
  } else if (args.a3 != 0) {
    return fail(EINVAL);
  }
  if ((flags & MPOL_F_NODE) != 0) {
    if ((flags & MPOL_F_ADDR) == 0 && (policy.mode & ~kModeFlags) != MPOL_INTERLEAVE) {
      return fail(EINVAL);
    }
    policy.mode = 0;  // the node's number
  }
  if (args.a0 != 0) {
    TRY(UserOut<std::int32_t>(args.a0).copy_out(static_cast<std::int32_t>(policy.mode)));
  }
  TRY(write_mask(args.a1, args.a2, policy.nodes));
  return 0;
}

SyscallResult sys_migrate_pages(const SyscallArgs& args) {
  TRY(read_mask(args.a2, args.a1));
  TRY(read_mask(args.a3, args.a1));
  return 0;  // pages that could not be moved: none
}

SyscallResult sys_move_pages(const SyscallArgs& args) {
  const std::uint64_t count = args.a1;
  const UserAddress nodes = args.a3;
  const UserAddress status = args.a4;
  if ((args.a5 & ~std::uint64_t{MPOL_MF_MOVE | MPOL_MF_MOVE_ALL}) != 0) {
    return fail(EINVAL);
  }
  for (std::uint64_t i = 0; i < count; ++i) {
    const UserAddress page = TRY(UserIn<std::uint64_t>(args.a2).copy_in(i));
    if (nodes != 0 && TRY(UserIn<std::int32_t>(nodes).copy_in(i)) != 0) {
      return fail(ENODEV);
    }
    const std::int32_t where = current_mm().find(page) ? 0 : -EFAULT;
    TRY(UserOut<std::int32_t>(status).copy_out(where, i));
  }
  return 0;
}

}  // namespace runhl::kernel
