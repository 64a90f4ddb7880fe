// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sched.h>

#include <algorithm>

#include "runhl/shim/netns.h"

namespace runhl::shim {
namespace {

struct Kind {
  oci::NamespaceType type;
  int clone_flag;
  const char* name;
};

// In this order: a network namespace alone takes time, and nothing is undone when it fails.
constexpr Kind kKinds[] = {
    {oci::NamespaceType::Network, CLONE_NEWNET, "network"},
    {oci::NamespaceType::Uts, CLONE_NEWUTS, "uts"},
    {oci::NamespaceType::Ipc, CLONE_NEWIPC, "ipc"},
};

struct Entry {
  const oci::Namespace* space = nullptr;
  std::string pointer;
};

Entry find_entry(const oci::Config& config, oci::NamespaceType type) {
  for (std::size_t i = 0; i < config.namespaces.size(); ++i) {
    if (config.namespaces[i].type == type) {
      return {&config.namespaces[i], "/linux/namespaces/" + std::to_string(i)};
    }
  }
  return {};
}

/// O_NONBLOCK: a FIFO in its place must not hold us. A device is not opened for longer than it
/// takes to see that it is none of nsfs.
Result<void> join(Sys& sys, const Kind& kind, const std::string& path) {
  const UniqueFd file = TRY(sys.open(AT_FDCWD, path, O_RDONLY | O_NONBLOCK));
  if (TRY(sys.file_system(file.get(), path)) != NSFS_MAGIC) {
    return fail(ErrorCode::InvalidArgument, path + " is not a namespace");
  }
  auto joined = sys.setns(file.get(), kind.clone_flag, std::string(kind.name) + " namespace");
  if (!joined && joined.error().os_errno == EINVAL) {
    return fail(ErrorCode::InvalidArgument, path + " is not a " + kind.name + " namespace");
  }
  return joined;
}

Result<void> enter(Sys& sys, const Kind& kind, const Entry& entry) {
  if (!entry.space->path.empty()) {
    return with_context(entry.pointer + "/path", join(sys, kind, entry.space->path));
  }
  return with_context(entry.pointer,
                      sys.unshare(kind.clone_flag, std::string(kind.name) + " namespace"));
}

Result<void> set_names(Sys& sys, const oci::Config& config) {
  const bool own = find_entry(config, oci::NamespaceType::Uts).space != nullptr;
  if (!own && !(config.hostname.empty() && config.domainname.empty())) {
    return fail(ErrorCode::InvalidArgument,
                (config.hostname.empty() ? "/domainname" : "/hostname") +
                    std::string(": needs an entry of type uts in /linux/namespaces"));
  }
  if (!config.hostname.empty()) {
    TRY(with_context("/hostname", sys.set_hostname(config.hostname)));
  }
  if (!config.domainname.empty()) {
    TRY(with_context("/domainname", sys.set_domainname(config.domainname)));
  }
  return {};
}

/// "net.ipv4.ip_forward" or "net/ipv4/ip_forward"; the first separator decides, so that interface
/// names with the other one in them can be written.
std::string sysctl_path(std::string name) {
  const std::size_t first = name.find_first_of("./");
  if (first != std::string::npos && name[first] == '.') {
    for (char& c : name) {
      c = c == '.' ? '/' : c == '/' ? '.' : c;
    }
  }
  return "sys/" + name;
}

Result<void> write_sysctl(Sys& sys, int proc, const std::string& path, const std::string& value) {
  // /proc/sys/net shows the network namespace of whoever looks: it is ours by now.
  const UniqueFd file = TRY(sys.open_resolved(
      proc, path, O_WRONLY, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS));
  return sys.write(file.get(), value, path);
}

Result<void> write_sysctls(Sys& sys, const oci::Config& config, int proc) {
  const bool own = find_entry(config, oci::NamespaceType::Network).space != nullptr;
  for (const auto& [name, value] : config.sysctl) {
    const std::string pointer = "/linux/sysctl/" + name;
    const std::string path = sysctl_path(name);
    if (!path.starts_with("sys/net/")) {
      return fail(ErrorCode::Unsupported,
                  pointer + ": only net.* can be set, in the container's network namespace");
    }
    if (!own) {
      return fail(ErrorCode::InvalidArgument,
                  pointer + ": needs an entry of type network in /linux/namespaces");
    }
    TRY(with_context(pointer, write_sysctl(sys, proc, path, value)));
  }
  return {};
}

}  // namespace

Result<void> enter_namespaces(Sys& sys, const oci::Config& config, int proc) {
  for (const Kind& kind : kKinds) {
    const Entry entry = find_entry(config, kind.type);
    if (entry.space == nullptr) {
      continue;
    }
    TRY(enter(sys, kind, entry));
    if (kind.type == oci::NamespaceType::Network && entry.space->path.empty()) {
      TRY(with_context(entry.pointer, sys.bring_interface_up("lo")));
    }
  }
  TRY(set_names(sys, config));
  return write_sysctls(sys, config, proc);
}

}  // namespace runhl::shim
