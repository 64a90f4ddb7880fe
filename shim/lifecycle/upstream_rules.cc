// SPDX-License-Identifier: Apache-2.0
#include "lifecycle/upstream_rules.h"

#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "runhl/vmm/upstream/guest_plan.h"

namespace runhl::shim {
namespace {

using std::to_string;

tl::unexpected<Error> refuse(std::string pointer, std::string_view why) {
  return fail(ErrorCode::Unsupported, std::move(pointer.append(": ").append(why)));
}

Result<void> check_user(const oci::User& user) {
  constexpr std::uint32_t kUmask = 022;  // what the kernels begin with
  constexpr std::string_view kWhy = "an upstream kernel knows root alone; run as 0";
  if (user.uid != 0) {
    return refuse("/process/user/uid", kWhy);
  }
  if (user.gid != 0) {
    return refuse("/process/user/gid", kWhy);
  }
  if (user.umask && *user.umask != kUmask) {
    return refuse("/process/user/umask", "an upstream kernel begins with 022");
  }
  return {};
}

/// What such a limit bounds the guest does not have, or has less of.
bool holds(const oci::ConfigRlimit& limit) {
  // What the host keeps open for a guest is never more; more of the guest's own cost its memory.
  constexpr std::uint64_t kMostDescriptors = 1024;
  switch (limit.resource) {
    case RLIMIT_CORE:        // no core is ever written
    case RLIMIT_MEMLOCK:     // it locks none of the host's memory
    case RLIMIT_MSGQUEUE:    // no message queues
    case RLIMIT_NICE:        // no scheduling classes
    case RLIMIT_RTPRIO:      // the same
    case RLIMIT_RTTIME:      // the same
    case RLIMIT_SIGPENDING:  // no real-time signals
      return true;
    case RLIMIT_NOFILE:
      return limit.soft >= kMostDescriptors;
    default:
      return false;
  }
}

Result<void> check_limits(const std::vector<oci::ConfigRlimit>& limits) {
  for (std::size_t i = 0; i < limits.size(); ++i) {
    if (limits[i].soft != RLIM_INFINITY && !holds(limits[i])) {
      return refuse("/process/rlimits/" + to_string(i),
                    "an upstream kernel keeps no limits; bound the container by "
                    "linux.resources");
    }
  }
  return {};
}

Result<void> check_words(const oci::Process& process) {
  std::size_t bytes = 0;
  for (const auto* const words : {&process.args, &process.env}) {
    for (const std::string& word : *words) {
      bytes += word.size() + 1;
    }
  }
  const std::size_t count = process.args.size() + process.env.size();
  if (bytes <= vmm::upstream::kMaxWordBytes && count <= vmm::upstream::kMaxWords) {
    return {};
  }
  return refuse("/process/args", to_string(count) + " arguments and variables of " +
                                     to_string(bytes) + " bytes; an upstream kernel takes " +
                                     to_string(vmm::upstream::kMaxWords) + " and " +
                                     to_string(vmm::upstream::kMaxWordBytes) + " bytes");
}

bool is_below(std::string_view path, std::string_view directory) {
  return path.starts_with(directory) &&
         (path.size() == directory.size() || path[directory.size()] == '/');
}

/// Where the guest has nothing, or the kernel's own.
bool is_kernels(std::string_view path) {
  return is_below(path, "/proc") || is_below(path, "/sys") || is_below(path, "/dev");
}

Result<void> check_paths(std::string_view key, const std::vector<std::string>& paths) {
  for (std::size_t i = 0; i < paths.size(); ++i) {
    if (!is_kernels(paths[i])) {
      return refuse("/linux/" + std::string(key) + "/" + to_string(i),
                    paths[i] + " cannot be kept from a program by an upstream kernel");
    }
  }
  return {};
}

/// A bind onto a name that the kernel's table of mounts can carry, and that hides nothing of its
/// own.
Result<void> check_destination(const std::string& at, const oci::ConfigMount& mount) {
  if (is_kernels(mount.destination)) {
    return refuse(at + "/destination", "an upstream kernel keeps /dev, /proc and /sys itself");
  }
  const bool plain =
      std::none_of(mount.destination.begin(), mount.destination.end(), [](unsigned char c) {
        return c <= ' ' ||
               std::string_view(":[]'\"\\").find(static_cast<char>(c)) != std::string_view::npos;
      });
  return plain ? Result<void>()
               : refuse(at + "/destination",
                        "an upstream kernel takes no blanks, quotes, brackets, colons and "
                        "backslashes in a mount's place");
}

/// Those that every engine gives a container. Each gets its own copy, of which engines see nothing
/// that the program writes there.
bool is_engines_file(std::string_view destination) {
  constexpr std::array<std::string_view, 3> kFiles = {"/etc/hostname", "/etc/hosts",
                                                      "/etc/resolv.conf"};
  return std::find(kFiles.begin(), kFiles.end(), destination) != kFiles.end();
}

Result<void> check_bind(const std::string& at, const oci::ConfigMount& mount) {
  TRY(check_destination(at, mount));
  if (mount.no_exec) {
    return refuse(at + "/options", "an upstream kernel executes what it can read; remove noexec");
  }
  struct stat info{};
  if (::stat(mount.source.c_str(), &info) != 0) {
    return fail_errno(at + "/source: " + mount.source);
  }
  if (S_ISDIR(info.st_mode)) {
    return {};
  }
  if (!S_ISREG(info.st_mode)) {
    return refuse(at + "/source", "an upstream kernel mounts directories, and copies files");
  }
  if (!mount.read_only && !is_engines_file(mount.destination)) {
    return refuse(at + "/options",
                  "a file for writing: an upstream kernel mounts directories alone; mount its "
                  "directory, or the file read-only, which copies it");
  }
  return {};
}

Result<void> check_tmpfs(const std::string& at, const oci::ConfigMount& mount,
                         const oci::Config& config) {
  const auto limit = static_cast<std::uint64_t>(
      std::max<std::int64_t>(config.resources.memory_limit.value_or(0), 0));
  if (mount.read_only || mount.no_exec) {
    return refuse(at + "/options",
                  "a place in memory is a part of the root file system of an upstream kernel: "
                  "neither ro nor noexec holds there");
  }
  // containerd gives every container a small /run: what is written there is bounded with the rest.
  const bool engines = mount.destination == "/run";
  if (!engines && mount.size_bytes != 0 && mount.size_bytes < vmm::upstream::guest_memory(limit)) {
    return refuse(at + "/options",
                  "an upstream kernel bounds the guest's memory as a whole; remove size");
  }
  return {};
}

Result<void> check_mounts(const oci::Config& config) {
  std::size_t directories = 0, bytes = 0;
  for (std::size_t i = 0; i < config.mounts.size(); ++i) {
    const oci::ConfigMount& mount = config.mounts[i];
    const std::string at = "/mounts/" + to_string(i);
    if (mount.bind) {
      TRY(check_bind(at, mount));
      bytes += mount.destination.size();
      if (++directories > vmm::upstream::kMaxMounts || bytes > vmm::upstream::kMaxMountPaths) {
        return refuse(at, "more binds than an upstream kernel takes: " +
                              to_string(vmm::upstream::kMaxMounts) + ", and " +
                              to_string(vmm::upstream::kMaxMountPaths) + " bytes of their names");
      }
    } else if (mount.type == "tmpfs" && !is_kernels(mount.destination)) {
      TRY(check_tmpfs(at, mount, config));
    }
  }
  return {};
}

Result<void> check_memory(const oci::Resources& resources) {
  const std::int64_t limit = resources.memory_limit.value_or(0);
  if (limit > 0 && vmm::upstream::guest_memory(static_cast<std::uint64_t>(limit)) == 0) {
    return refuse("/linux/resources/memory/limit",
                  to_string(limit) + " bytes are not enough for an upstream kernel");
  }
  return {};
}

}  // namespace

Result<void> check_upstream(const oci::Config& config) {
  TRY(check_user(config.process.user));
  TRY(check_limits(config.process.rlimits));
  TRY(check_words(config.process));
  if (config.root_readonly) {
    return refuse("/root/readonly",
                  "the root file system of an upstream kernel is a copy in its memory, which "
                  "programs may change");
  }
  if (!config.hooks.start_container.empty()) {
    return refuse("/hooks/startContainer", "an upstream kernel runs one program");
  }
  if (!config.guest_sysctl.empty()) {
    return refuse("/linux/sysctl/" + config.guest_sysctl.begin()->first,
                  "an upstream kernel has no such value");
  }
  TRY(check_paths("maskedPaths", config.masked_paths));
  TRY(check_paths("readonlyPaths", config.readonly_paths));
  TRY(check_mounts(config));
  return check_memory(config.resources);
}

}  // namespace runhl::shim
