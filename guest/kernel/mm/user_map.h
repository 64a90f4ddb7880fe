// SPDX-License-Identifier: Apache-2.0
// What the fault and rewriting paths ask of the VMA layer about the current process.
#pragma once

#include <cstdint>

#include "core/result.h"
#include "core/user_memory.h"
#include "mm/map_object.h"

namespace runhl::kernel {

struct MappingInfo {
  UserAddress start = 0, end = 0;
  std::uint32_t protection = 0;  // PROT_*
  bool shared = false;
};

/// What /proc/PID/maps calls a mapping that shows no file.
enum class MappingName : std::uint8_t { None, Heap, Stack, Annex };

/// One mapping as it was when asked for; later changes of the map do not show.
struct MappingSnapshot {
  UserAddress start = 0, end = 0;
  std::uint32_t protection = 0;  // PROT_*
  bool shared = false, locked = false;
  bool dont_fork = false, wipe_on_fork = false, grows_down = false;
  bool huge = false, no_huge = false;  // MADV_HUGEPAGE, MADV_NOHUGEPAGE
  MappingName name = MappingName::None;
  Ref<MapObject> object;     // as_file(): the file; null: anonymous
  std::uint64_t offset = 0;  // of `start` in it
};

/// The mapping that holds `address`; ENOMEM when there is none. Takes the mm lock.
Result<MappingInfo> find_mapping(UserAddress address);

inline constexpr std::uint64_t kAnnexSize = 64 * 1024;

/// An annex: kAnnexSize bytes within 1.9 GiB of `near`, mapped anonymous, private, PROT_READ |
/// PROT_EXEC, in the VMA tree as special (a program's unmap of it is allowed and its own fault).
/// Holds the trampolines of rewritten system call sites. Takes the mm lock.
Result<UserAddress> reserve_annex(UserAddress near);

}  // namespace runhl::kernel
