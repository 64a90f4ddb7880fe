// SPDX-License-Identifier: Apache-2.0
#include "cell/identity.h"

#include <fcntl.h>
#include <unistd.h>

#include <string>

#include "runhl/base/unique_fd.h"

namespace runhl::vmm::cell {

namespace {

/// The host takes such a file in one write.
Result<void> write_file(int proc_dir, pid_t pid, const char* name, const std::string& text) {
  const std::string path = std::to_string(pid) + "/" + name;
  const UniqueFd file{::openat(proc_dir, path.c_str(), O_WRONLY | O_CLOEXEC)};
  if (!file) {
    return fail_errno("open /proc/" + path);
  }
  if (::write(file.get(), text.data(), text.size()) < 0) {
    return fail_errno("write /proc/" + path);
  }
  return {};
}

std::string one_id(std::uint32_t outside) {
  return std::to_string(kInsideId) + " " + std::to_string(outside) + " 1\n";
}

}  // namespace

bool maps_own_ids(const CellIdentity& identity) {
  return !identity.own && identity.uid == ::geteuid() && identity.gid == ::getegid();
}

Result<void> write_id_maps(int proc_dir, pid_t pid, const CellIdentity& identity) {
  if (maps_own_ids(identity)) {
    TRY(write_file(proc_dir, pid, "setgroups", "deny"));
  }
  TRY(write_file(proc_dir, pid, "uid_map", one_id(identity.uid)));
  return write_file(proc_dir, pid, "gid_map", one_id(identity.gid));
}

}  // namespace runhl::vmm::cell
