// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

#include "sys/linux_sys.h"

namespace runhl {

Result<UniqueFd> LinuxSys::new_mount(const std::string& type,
                                     std::span<const std::pair<std::string, std::string>> options,
                                     std::uint64_t attributes) {
  const UniqueFd context = TRY(check_fd(::fsopen(type.c_str(), FSOPEN_CLOEXEC), "fsopen", type));
  for (const auto& [key, value] : options) {
    std::string what = type;
    what.append(" ").append(key).append("=").append(value);
    TRY(check_call(::fsconfig(context.get(), FSCONFIG_SET_STRING, key.c_str(), value.c_str(), 0),
                   "fsconfig", what));
  }
  TRY(check_call(::fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0), "fsconfig",
                 type));
  return check_fd(::fsmount(context.get(), FSMOUNT_CLOEXEC, static_cast<unsigned>(attributes)),
                  "fsmount", type);
}

Result<UniqueFd> LinuxSys::open_tree(int dir, const std::string& path, unsigned flags) {
  return check_fd(::open_tree(dir, path.c_str(), flags | OPEN_TREE_CLOEXEC), "open_tree", path);
}

Result<void> LinuxSys::attach_mount(int mount, int dir, const std::string& path) {
  return check_call(::move_mount(mount, "", dir, path.c_str(), MOVE_MOUNT_F_EMPTY_PATH),
                    "move_mount", path);
}

Result<void> LinuxSys::set_mount_attributes(int dir, const std::string& path, unsigned flags,
                                            std::uint64_t attributes) {
  mount_attr change{};
  change.attr_set = attributes;
  return check_call(::mount_setattr(dir, path.c_str(), flags, &change, sizeof(change)),
                    "mount_setattr", path);
}

Result<void> LinuxSys::set_propagation(const std::string& path, unsigned long flags) {
  return check_call(::mount("", path.c_str(), nullptr, flags, nullptr), "mount", path);
}

Result<void> LinuxSys::unmount(const std::string& path, int flags) {
  return check_call(::umount2(path.c_str(), flags), "umount", path);
}

Result<void> LinuxSys::pivot_root(const std::string& new_root, const std::string& put_old) {
  return check_call(::syscall(SYS_pivot_root, new_root.c_str(), put_old.c_str()), "pivot_root",
                    new_root);
}

Result<void> LinuxSys::chdir(const std::string& path) {
  return check_call(::chdir(path.c_str()), "chdir", path);
}

Result<void> LinuxSys::fchdir(int fd) {
  return check_call(::fchdir(fd), "chdir", "a descriptor");
}

Result<void> LinuxSys::unshare(int flags, const std::string& what) {
  return check_call(::unshare(flags), "unshare", what);
}

Result<void> LinuxSys::setns(int fd, int type, const std::string& what) {
  return check_call(::setns(fd, type), "setns", what);
}

Result<void> LinuxSys::set_hostname(const std::string& name) {
  return check_call(::sethostname(name.data(), name.size()), "sethostname", name);
}

Result<void> LinuxSys::set_domainname(const std::string& name) {
  return check_call(::setdomainname(name.data(), name.size()), "setdomainname", name);
}

Result<void> LinuxSys::bring_interface_up(const std::string& name) {
  const UniqueFd socket =
      TRY(check_fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket", "AF_INET"));
  ifreq request{};
  name.copy(request.ifr_name, IFNAMSIZ - 1);
  TRY(check_call(::ioctl(socket.get(), SIOCGIFFLAGS, &request), "SIOCGIFFLAGS", name));
  request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP);
  return check_call(::ioctl(socket.get(), SIOCSIFFLAGS, &request), "SIOCSIFFLAGS", name);
}

}  // namespace runhl
