// SPDX-License-Identifier: Apache-2.0
#include "ipc/ipc_object.h"

#include <linux/capability.h>

#include <algorithm>

#include "fs/permission.h"
#include "fs/pseudo/text_writer.h"
#include "fs/tmpfs/rules.h"
#include "ipc/ipc_status.h"
#include "proc/task.h"

namespace runhl::kernel {
namespace {

// Linux's IPCMNI_SHIFT and ipc_min_cycle: places go round among a few more than are in use.
constexpr std::uint32_t kPlaces = 1U << 15;
constexpr std::uint32_t kFewestPlaces = 64;
constexpr std::uint32_t kRounds = 0x7fff'ffff / kPlaces;

bool owns(const Credentials& who, const IpcObject& object) {
  return who.euid == object.uid || who.euid == object.creator_uid;
}

}  // namespace

std::int32_t IpcObject::id() const {
  return static_cast<std::int32_t>(round * kPlaces + place);
}

Result<void> check_ipc_access(const IpcObject& object, std::uint32_t mode) {
  const Credentials& who = current().credentials;
  const std::uint32_t wanted = (mode >> 6 | mode >> 3 | mode) & 07;
  std::uint32_t granted = object.mode;
  if (owns(who, object)) {
    granted >>= 6;
  } else if (in_group(file_identity(who), object.gid) ||
             in_group(file_identity(who), object.creator_gid)) {
    granted >>= 3;
  }
  const bool permitted = (wanted & ~granted) == 0 || who.has(CAP_IPC_OWNER);
  return permitted ? Result<void>{} : fail(EACCES);
}

Result<void> check_ipc_control(const IpcObject& object) {
  const Credentials& who = current().credentials;
  return owns(who, object) || who.has(CAP_SYS_ADMIN) ? Result<void>{} : fail(EPERM);
}

Result<IpcObject*> IpcTable::find(std::int32_t id) {
  if (id < 0) {
    return fail(EINVAL);
  }
  IpcObject* const object =
      TRY(at(static_cast<std::int32_t>(static_cast<std::uint32_t>(id) % kPlaces)));
  return object->id() == id ? Result<IpcObject*>(object) : fail(EIDRM);
}

IpcObject* IpcTable::find_key(std::int32_t key) {
  const auto found =
      std::ranges::find_if(objects_, [key](const IpcObject& each) { return each.key == key; });
  return found == objects_.end() ? nullptr : &*found;
}

/// The first free one behind the last that was given out; round again above what is in use half
/// as much more.
std::uint32_t IpcTable::free_place() {
  const auto in_use = static_cast<std::uint32_t>(objects_.size());
  const std::uint32_t end = std::min(std::max(in_use * 3 / 2, kFewestPlaces), kPlaces);
  std::uint32_t place = next_place_;
  for (int turn = 0; turn < 2; ++turn, place = 0) {
    for (auto at = objects_.lower_bound(place, PlaceLess{});
         at != objects_.end() && at->place == place; ++at) {
      ++place;
    }
    if (place < end) {
      break;
    }
  }
  if (place < next_place_) {
    round_ = (round_ + 1) % kRounds;
  }
  next_place_ = place + 1;
  return place;
}

Result<std::int32_t> IpcTable::add(Ref<IpcObject> object, std::int64_t limit) {
  if (static_cast<std::int64_t>(count()) >= std::min<std::int64_t>(limit, kPlaces)) {
    return fail(ENOSPC);
  }
  const Credentials& who = current().credentials;
  object->uid = object->creator_uid = who.euid;
  object->gid = object->creator_gid = who.egid;
  object->changed = ipc_time_now();
  object->place = free_place();
  object->round = round_;
  objects_.insert(*object);
  return object.detach()->id();  // the table's count now
}

Ref<IpcObject> IpcTable::remove(IpcObject& object) {
  objects_.erase(objects_.iterator_to(object));
  object.removed = true;
  return {&object, false};
}

Result<IpcObject*> IpcTable::at(std::int32_t place) {
  const auto found = objects_.find(static_cast<std::uint32_t>(place), PlaceLess{});
  return found == objects_.end() ? fail(EINVAL) : Result<IpcObject*>(&*found);
}

std::int32_t IpcTable::highest_place() const {
  return objects_.empty() ? 0 : static_cast<std::int32_t>(objects_.rbegin()->place);
}

void set_ipc_owner(IpcObject& object, const IpcOwner& owner) {
  object.uid = owner.uid;
  object.gid = owner.gid;
  object.mode = (object.mode & ~0777U) | (owner.mode & 0777);
  object.changed = ipc_time_now();
}

void add_ipc_key(TextWriter& out, const IpcObject& object) {
  // The key is signed on Linux, and ten columns wide.
  TextWriter key;
  key.add(object.key);
  for (std::size_t column = key.view().size(); column < 10; ++column) {
    out.add(' ');
  }
  TextWriter mode;
  mode.add(Octal{.value = object.mode});
  out.add(key.view(), ' ', Decimal{.value = static_cast<std::uint32_t>(object.id()), .width = 10});
  for (std::size_t column = mode.view().size(); column < 6; ++column) {
    out.add(' ');
  }
  out.add(mode.view());
}

void add_ipc_owner(TextWriter& out, const IpcObject& object) {
  for (const std::uint32_t id : {object.uid, object.gid, object.creator_uid, object.creator_gid}) {
    out.add(' ', Decimal{.value = id, .width = 5});
  }
}

std::int64_t ipc_time_now() {
  return file_time_now().seconds;
}

std::int32_t ipc_caller() {
  return current().process->pid;
}

}  // namespace runhl::kernel
