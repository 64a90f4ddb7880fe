// SPDX-License-Identifier: Apache-2.0
// What the fault and rewriting paths ask of the VMA layer about the current process.
#pragma once

#include <cstdint>

#include "core/result.h"
#include "core/user_memory.h"
#include "mm/map_object.h"
#include "mm/vma.h"

namespace runhl::kernel {

struct MappingInfo {
  UserAddress start = 0, end = 0;
  std::uint32_t protection = 0;  // PROT_*
  bool shared = false;
  const MapObject* object = nullptr;  // to be compared: which one it is
  std::uint64_t offset = 0;           // of `start` in it
};

/// What /proc/PID/maps calls a mapping that shows no file.
enum class MappingName : std::uint8_t { None, Heap, Stack, Annex };

/// One mapping as it was when asked for; later changes of the map do not show.
struct MappingSnapshot {
  UserAddress start = 0, end = 0;
  std::uint32_t protection = 0;  // PROT_*
  VmaFlags flags;
  MappingName name = MappingName::None;
  Ref<MapObject> object;     // as_file(): the file; null: anonymous
  std::uint64_t offset = 0;  // of `start` in it
};

/// The mapping that holds `address`; ENOMEM when there is none. Takes the mm lock.
Result<MappingInfo> find_mapping(UserAddress address);

enum class FaultOutcome : std::uint8_t {
  Retry,         // mended, or the map allows it: it raced with a change
  NotMapped,     // SIGSEGV, SEGV_MAPERR
  NotPermitted,  // SIGSEGV, SEGV_ACCERR
  BehindEnd,     // SIGBUS, BUS_ADRERR
};

/// What the current process's fault at `address` was. `access`: one of PROT_*. Takes the mm lock.
FaultOutcome resolve_fault(UserAddress address, std::uint32_t access);
FaultOutcome resolve_bus_error(UserAddress address);
/// A copy of the kernel faulted there: true: the stack has grown, try again.
bool grow_for_copy(UserAddress address);
/// The same for a bus error: the file has grown.
bool resolve_bus_error_for_copy(UserAddress address);

/// What a shared mapping shows at an address; `object` is null where the mapping is private.
struct SharedPlace {
  Ref<MapObject> object;
  std::uint64_t offset = 0;
};
/// ENOMEM when nothing is mapped there. Takes the mm lock.
Result<SharedPlace> find_shared_place(UserAddress address);

inline constexpr std::uint64_t kAnnexSize = 64 * 1024;

/// An annex: kAnnexSize bytes within 1.9 GiB of `near`, mapped anonymous, private, PROT_READ |
/// PROT_EXEC, in the VMA tree as special (a program's unmap of it is allowed and its own fault).
/// Holds the trampolines of rewritten system call sites. Takes the mm lock.
Result<UserAddress> reserve_annex(UserAddress near);

}  // namespace runhl::kernel
