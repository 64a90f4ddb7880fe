// SPDX-License-Identifier: Apache-2.0
#include "cell/boot_config.h"

#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "runhl/abi/boot.h"
#include "runhl/abi/layout.h"

namespace runhl::vmm::cell {
namespace {

constexpr std::size_t kMaxString = 128 * kKiB;  // Linux MAX_ARG_STRLEN
constexpr std::size_t kMaxStrings = 2 * kMiB;   // Linux: a quarter of the 8 MiB stack
constexpr std::size_t kMaxConfig = abi::kMonitorAreaMaxSize - abi::kBootConfigOffset;

// Appends tables and strings behind the fixed part; offsets count from its start.
class Writer {
 public:
  explicit Writer(std::size_t fixed) : bytes_(fixed) {}

  std::uint32_t string(std::string_view text) {
    const auto offset = static_cast<std::uint32_t>(bytes_.size());
    const auto* first = reinterpret_cast<const std::byte*>(text.data());
    bytes_.insert(bytes_.end(), first, first + text.size());
    bytes_.push_back(std::byte{0});
    return offset;
  }
  abi::StringList strings(const std::vector<std::string>& list) {
    abi::StringList result{static_cast<std::uint32_t>(bytes_.size()),
                           static_cast<std::uint32_t>(list.size())};
    for (const std::string& text : list) {
      (void)string(text);  // one behind the other
    }
    return result;
  }
  template <typename T>
  std::uint32_t table(const std::vector<T>& rows) {
    bytes_.resize(align_up(bytes_.size(), alignof(T)));
    const auto offset = static_cast<std::uint32_t>(bytes_.size());
    const auto raw = std::as_bytes(std::span(rows));
    bytes_.insert(bytes_.end(), raw.begin(), raw.end());
    return offset;
  }
  std::vector<std::byte> finish(abi::BootConfig config) {
    config.size = static_cast<std::uint32_t>(bytes_.size());
    std::memcpy(bytes_.data(), &config, sizeof(config));
    return std::move(bytes_);
  }
  [[nodiscard]] std::size_t size() const { return bytes_.size(); }

 private:
  std::vector<std::byte> bytes_;
};

Result<std::size_t> check_strings(const std::vector<std::string>& list, std::string_view field) {
  std::size_t total = 0;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const std::string& text = list[i];
    const std::string pointer = std::string(field) + '/' + std::to_string(i);
    if (text.find('\0') != std::string::npos) {
      return fail(ErrorCode::InvalidArgument, pointer + ": contains a NUL");
    }
    if (text.size() >= kMaxString) {
      return fail(ErrorCode::InvalidArgument, pointer + ": argument list too long");
    }
    total += text.size() + 1;
  }
  return total;
}

Result<void> check_hooks(const StartHooks& hooks) {
  for (std::size_t i = 0; i < hooks.hooks.size(); ++i) {
    const StartHooks::Hook& hook = hooks.hooks[i];
    const std::string pointer = "/hooks/startContainer/" + std::to_string(i);
    if (hook.path.find('\0') != std::string::npos || hook.path.size() >= abi::kMaxPath) {
      return fail(ErrorCode::InvalidArgument, pointer + "/path: no path in the container");
    }
    const std::size_t strings = TRY(check_strings(hook.args, pointer + "/args")) +
                                TRY(check_strings(hook.env, pointer + "/env"));
    if (strings > kMaxStrings) {
      return fail(ErrorCode::InvalidArgument, pointer + "/args: argument list too long");
    }
  }
  return {};
}

std::vector<abi::BootHook> make_hooks(const StartHooks& hooks, Writer& writer) {
  std::vector<abi::BootHook> rows;
  for (const StartHooks::Hook& hook : hooks.hooks) {
    rows.push_back({.path = writer.string(hook.path),
                    .timeout_seconds = static_cast<std::uint32_t>(hook.timeout_seconds.value_or(0)),
                    .args = writer.strings(hook.args.empty() ? std::vector{hook.path} : hook.args),
                    .env = writer.strings(hook.env)});
  }
  return rows;
}

std::uint32_t flags_of(const Mount& mount, const GrantedTree* tree) {
  std::uint32_t flags = 0;
  flags |= mount.read_only ? abi::kMountReadOnly : 0U;
  flags |= mount.no_suid ? abi::kMountNoSuid : 0U;
  flags |= mount.no_dev ? abi::kMountNoDev : 0U;
  flags |= mount.no_exec ? abi::kMountNoExec : 0U;
  flags |= mount.strict ? abi::kMountStrict : 0U;
  if (tree != nullptr) {
    flags |= tree->directory ? 0U : abi::kMountFile;
    flags |= tree->may_wait ? abi::kMountMayWait : 0U;
  }
  return flags;
}

abi::MountKind kind_of(MountKind kind) {
  switch (kind) {
    case MountKind::Tree:
      return abi::MountKind::Tree;
    case MountKind::Tmpfs:
      return abi::MountKind::Tmpfs;
    case MountKind::Dev:
      return abi::MountKind::Dev;
    case MountKind::EmptyDir:
      return abi::MountKind::EmptyDir;
    case MountKind::Masked:
      return abi::MountKind::Masked;
    case MountKind::ReadOnly:
      return abi::MountKind::ReadOnly;
    case MountKind::Initrd:
      return abi::MountKind::Initrd;
    case MountKind::Proc:
      return abi::MountKind::Proc;
    case MountKind::Sys:
      return abi::MountKind::Sys;
    case MountKind::Devpts:
      return abi::MountKind::Devpts;
    case MountKind::Mqueue:
      return abi::MountKind::Mqueue;
    case MountKind::Cgroup:
      return abi::MountKind::Cgroup;
  }
  return abi::MountKind::EmptyDir;
}

Result<std::vector<abi::BootMount>> make_mounts(const MachineSpec& spec, Writer& writer) {
  std::vector<abi::BootMount> rows;
  rows.reserve(spec.mounts.size());
  for (const Mount& mount : spec.mounts) {
    const bool is_tree = mount.kind == MountKind::Tree;
    if (is_tree && mount.tree >= spec.trees.size()) {
      return fail(ErrorCode::InvalidArgument, "mount " + mount.target + " names no granted tree");
    }
    abi::BootMount row{};
    row.kind = kind_of(mount.kind);
    row.flags = flags_of(mount, is_tree ? &spec.trees[mount.tree] : nullptr);
    row.tree = is_tree ? static_cast<abi::Handle>(mount.tree) : -1;
    row.mode = mount.mode;
    row.owner_gid = mount.gid;
    row.size_bytes = mount.size_bytes;
    row.target = writer.string(mount.target);
    row.source = writer.string(mount.source);
    rows.push_back(row);
  }
  return rows;
}

std::vector<std::string> sysctl_lines(const MachineSpec& spec) {
  std::vector<std::string> lines;
  for (const auto& [name, value] : spec.sysctls) {
    lines.push_back(name);
    lines.back().append("=").append(value);
  }
  return lines;
}

std::vector<abi::BootDeviceRule> make_device_rules(const MachineSpec& spec) {
  std::vector<abi::BootDeviceRule> rows;
  for (const DeviceRule& rule : spec.device_rules) {
    rows.push_back({.allow = rule.allow ? 1U : 0U,
                    .type = static_cast<unsigned char>(rule.type),
                    .access = (rule.read ? std::uint32_t{abi::kDeviceRead} : 0U) |
                              (rule.write ? std::uint32_t{abi::kDeviceWrite} : 0U) |
                              (rule.make ? std::uint32_t{abi::kDeviceMknod} : 0U),
                    .reserved = 0,
                    .major = rule.major ? std::int64_t{*rule.major} : -1,
                    .minor = rule.minor ? std::int64_t{*rule.minor} : -1});
  }
  return rows;
}

std::vector<abi::BootRlimit> make_rlimits(const ProcessSpec& process) {
  std::vector<abi::BootRlimit> rows;
  for (const Rlimit& limit : process.rlimits) {
    rows.push_back({.resource = static_cast<std::uint32_t>(limit.resource),
                    .reserved = 0,
                    .soft = limit.soft,
                    .hard = limit.hard});
  }
  return rows;
}

}  // namespace

Result<std::uint64_t> initrd_size(const MachineSpec& spec) {
  struct stat info{};
  if (spec.initrd && ::fstat(spec.initrd.get(), &info) < 0) {
    return fail_errno("the initrd");
  }
  const auto size = static_cast<std::uint64_t>(info.st_size);
  if (size > abi::kWindowEnd - abi::kInitrd) {
    return fail(ErrorCode::InvalidArgument, "the initrd is too large for the guest's window");
  }
  return size;
}

Result<std::vector<std::byte>> make_boot_config(const MachineSpec& spec,
                                                const std::array<std::uint32_t, 3>& stream_modes) {
  const ProcessSpec& process = spec.process;
  if (process.args.empty()) {
    return fail(ErrorCode::InvalidArgument, "/process/args: must not be empty");
  }
  const std::size_t strings = TRY(check_strings(process.args, "/process/args")) +
                              TRY(check_strings(process.env, "/process/env"));
  if (strings > kMaxStrings) {
    return fail(ErrorCode::InvalidArgument, "/process/args: argument list too long");
  }
  if (process.groups.size() > abi::kMaxGroups) {
    return fail(ErrorCode::InvalidArgument, "/process/user/additionalGids: more than " +
                                                std::to_string(abi::kMaxGroups) + " groups");
  }
  TRY(check_hooks(spec.start_hooks));
  Writer writer(sizeof(abi::BootConfig));
  abi::BootConfig config{};
  config.args = writer.strings(process.args);
  config.env = writer.strings(process.env);
  config.cwd = writer.string(process.cwd);
  config.hostname = writer.string(spec.hostname);
  config.domainname = writer.string(spec.domainname);
  const std::vector<abi::BootMount> mounts = TRY(make_mounts(spec, writer));
  config.mounts = writer.table(mounts);
  config.mount_count = static_cast<std::uint32_t>(mounts.size());
  config.rlimits = writer.table(make_rlimits(process));
  config.rlimit_count = static_cast<std::uint32_t>(process.rlimits.size());
  config.device_rules = writer.table(make_device_rules(spec));
  config.device_rule_count = static_cast<std::uint32_t>(spec.device_rules.size());
  config.credentials.uid = process.uid;
  config.credentials.gid = process.gid;
  config.credentials.capabilities = process.cap_effective;
  config.credentials.group_count = static_cast<std::uint32_t>(process.groups.size());
  std::copy(process.groups.begin(), process.groups.end(), config.credentials.groups.begin());
  config.cap_permitted = process.cap_permitted;
  config.cap_inheritable = process.cap_inheritable;
  config.cap_bounding = process.cap_bounding;
  config.cap_ambient = process.cap_ambient;
  config.initrd_size = TRY(initrd_size(spec));
  config.sysctls = writer.strings(sysctl_lines(spec));
  config.cpu_quota_us = spec.cpu_quota_us;
  config.cpu_period_us = spec.cpu_period_us;
  config.cpu_weight = spec.cpu_weight;
  config.umask = process.umask;
  config.no_new_privileges = process.no_new_privileges ? 1 : 0;
  config.nice = process.nice;
  config.oom_adjust = process.oom_adjust;
  std::copy(stream_modes.begin(), stream_modes.end(), std::begin(config.stream_modes));
  if (writer.size() > kMaxConfig) {
    return fail(ErrorCode::InvalidArgument, "/mounts: the mount table is too large");
  }
  config.start_hooks = writer.table(make_hooks(spec.start_hooks, writer));
  config.start_hook_count = static_cast<std::uint32_t>(spec.start_hooks.hooks.size());
  config.hook_input = writer.string(spec.start_hooks.input);
  config.hook_input_size = static_cast<std::uint32_t>(spec.start_hooks.input.size());
  if (writer.size() > kMaxConfig) {
    return fail(ErrorCode::InvalidArgument,
                "/hooks/startContainer: too large, with the annotations that each of them is told");
  }
  return writer.finish(config);
}

}  // namespace runhl::vmm::cell
