// SPDX-License-Identifier: Apache-2.0
#include "fs/credentials.h"

#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>

namespace runhl::vmm::fs {
namespace {

bool has(const Ceiling& ceiling, unsigned capability) {
  return (ceiling.capabilities >> capability & 1) != 0;
}

bool equal(const abi::FsCredentials& a, const abi::FsCredentials& b) {
  return a.uid == b.uid && a.gid == b.gid && a.capabilities == b.capabilities &&
         a.group_count == b.group_count &&
         std::equal(a.groups.begin(), a.groups.begin() + a.group_count, b.groups.begin());
}

std::uint64_t own_permitted() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> data{};
  if (::syscall(SYS_capget, &header, data.data()) != 0) {
    return 0;
  }
  return std::uint64_t{data[1].permitted} << 32 | data[0].permitted;
}

// This thread's effective set; permitted stays, so that the next request can raise it again.
bool set_effective(std::uint64_t effective) {
  const std::uint64_t permitted = own_permitted();
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> data{};
  for (unsigned word = 0; word < 2; ++word) {
    data[word].permitted = static_cast<std::uint32_t>(permitted >> (32 * word));
    data[word].effective = static_cast<std::uint32_t>((effective & permitted) >> (32 * word));
  }
  return ::syscall(SYS_capset, &header, data.data()) == 0;
}

// setfsuid answers the old id and no error: ask again with an impossible id to see what holds.
bool set_fs_id(long call, std::uint32_t id) {
  (void)::syscall(call, id);
  return static_cast<std::uint32_t>(::syscall(call, ~0U)) == id;
}

}  // namespace

OperationCredentials::OperationCredentials(Ceiling ceiling) : ceiling_(std::move(ceiling)) {
  if (ceiling_.groups.size() > abi::kMaxGroups) {
    ceiling_.groups.resize(abi::kMaxGroups);
  }
}

abi::FsCredentials OperationCredentials::limit(const abi::FsCredentials& wanted) const {
  abi::FsCredentials result{};
  result.capabilities = wanted.capabilities & ceiling_.capabilities;
  result.uid = has(ceiling_, CAP_SETUID) ? wanted.uid : ceiling_.uid;
  if (result.uid == ~0U) {
    result.uid = ceiling_.uid;
  }
  if (has(ceiling_, CAP_SETGID) && wanted.gid != ~0U && wanted.group_count <= abi::kMaxGroups) {
    result.gid = wanted.gid;
    result.group_count = wanted.group_count;
    std::copy_n(wanted.groups.begin(), wanted.group_count, result.groups.begin());
    return result;
  }
  result.gid = ceiling_.gid;
  result.group_count = static_cast<std::uint32_t>(ceiling_.groups.size());
  std::copy(ceiling_.groups.begin(), ceiling_.groups.end(), result.groups.begin());
  return result;
}

bool OperationCredentials::apply(const abi::FsCredentials& wanted) {
  const abi::FsCredentials target = limit(wanted);
  if (applied_ && equal(target, current_)) {
    return true;
  }
  applied_ = false;
  if (!set_effective(~0ULL)) {  // SETUID and SETGID, where we have them, for the switch itself
    return false;
  }
  // The raw calls change this thread alone; glibc's wrappers would change all.
  if (has(ceiling_, CAP_SETGID) &&
      ::syscall(SYS_setgroups, target.group_count, target.groups.data()) != 0) {
    return false;
  }
  if (!set_fs_id(SYS_setfsgid, target.gid) || !set_fs_id(SYS_setfsuid, target.uid) ||
      !set_effective(target.capabilities)) {
    return false;
  }
  current_ = target;
  applied_ = true;
  return true;
}

}  // namespace runhl::vmm::fs
