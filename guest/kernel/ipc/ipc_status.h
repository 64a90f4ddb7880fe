// SPDX-License-Identifier: Apache-2.0
// What *ctl(2) tells and takes of any kind of System V object.
#pragma once

#include <linux/ipc.h>

#include "core/user_memory.h"
#include "ipc/ipc_object.h"

namespace runhl::kernel {

class TextWriter;

/// struct ipc64_perm of an object.
inline ipc64_perm ipc_permissions(const IpcObject& object) {
  ipc64_perm out{};
  out.key = object.key;
  out.uid = object.uid;
  out.gid = object.gid;
  out.cuid = object.creator_uid;
  out.cgid = object.creator_gid;
  out.mode = static_cast<__kernel_mode_t>(object.mode);
  out.seq = static_cast<unsigned short>(object.round);
  return out;
}

/// IPC_SET: of what the program gives, owner and mode count.
inline IpcOwner ipc_owner(const ipc64_perm& from) {
  return {.uid = from.uid, .gid = from.gid, .mode = from.mode};
}

/// The object of *_STAT (a place), *_STAT_ANY (a place, whatever its mode) and IPC_STAT (an id).
enum class StatBy : std::uint8_t { Id, Place, PlaceWhateverMode };
inline Result<IpcObject*> find_for_status(IpcTable& table, std::int32_t number, StatBy by) {
  IpcObject* const object = TRY(by == StatBy::Id ? table.find(number) : table.at(number));
  if (by != StatBy::PlaceWhateverMode) {
    TRY(check_ipc_access(*object, 0444));
  }
  return object;
}

// The columns that all files in /proc/sysvipc have: key, id and mode; owner and creator.
void add_ipc_key(TextWriter& out, const IpcObject& object);
void add_ipc_owner(TextWriter& out, const IpcObject& object);

}  // namespace runhl::kernel
