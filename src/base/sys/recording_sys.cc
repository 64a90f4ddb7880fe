// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "runhl/base/sys_recording.h"

namespace runhl {
namespace {

constexpr std::uint64_t kExt4Magic = 0xEF53;

std::string number(std::uint64_t value, int base) {
  std::array<char, 32> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value, base).ptr;
  return {text.data(), end};
}

std::string octal(mode_t mode) {
  return "0" + number(mode, 8);
}
std::string hex(std::uint64_t value) {
  return "0x" + number(value, 16);
}

std::string attribute_names(std::uint64_t attributes) {
  constexpr std::array<std::pair<std::uint64_t, const char*>, 4> kNames = {{
      {MOUNT_ATTR_RDONLY, "ro"},
      {MOUNT_ATTR_NOSUID, "nosuid"},
      {MOUNT_ATTR_NODEV, "nodev"},
      {MOUNT_ATTR_NOEXEC, "noexec"},
  }};
  std::string text;
  for (const auto& [bit, name] : kNames) {
    if ((attributes & bit) != 0) {
      text += (text.empty() ? "" : ",") + std::string(name);
    }
  }
  return text;
}

std::string one_line(std::string_view text) {
  std::string line(text);
  std::replace(line.begin(), line.end(), '\n', '|');
  return line;
}

}  // namespace

void RecordingSys::fail(std::string prefix, int os_errno, int times) {
  rules_.push_back({std::move(prefix), os_errno, times});
}

void RecordingSys::fail_nth(std::size_t nth, int os_errno) {
  fail_at_ = calls.size() + nth;
  fail_at_errno_ = os_errno;
}

bool RecordingSys::called(std::string_view prefix) const {
  return !calls_of(prefix).empty();
}

std::vector<std::string> RecordingSys::calls_of(std::string_view prefix) const {
  std::vector<std::string> found;
  std::copy_if(calls.begin(), calls.end(), std::back_inserter(found),
               [&](const std::string& call) { return call.starts_with(prefix); });
  return found;
}

Result<void> RecordingSys::record(const std::string& text) {
  calls.push_back(text);
  if (calls.size() - 1 == fail_at_) {
    return fail_errno(text, fail_at_errno_);
  }
  for (Rule& rule : rules_) {
    if (rule.times != 0 && text.starts_with(rule.prefix)) {
      rule.times -= rule.times > 0 ? 1 : 0;
      return fail_errno(text, rule.os_errno);
    }
  }
  return {};
}

Result<UniqueFd> RecordingSys::hand_out(const std::string& text, std::string name) {
  TRY(record(text));
  UniqueFd fd{::open("/dev/null", O_RDWR | O_CLOEXEC)};
  if (!fd) {
    return fail_errno("/dev/null");
  }
  names_[fd.get()] = std::move(name);
  return fd;
}

std::string RecordingSys::name_of(int fd) const {
  if (fd == AT_FDCWD) {
    return ".";
  }
  const auto found = names_.find(fd);
  return found == names_.end() ? "fd" + std::to_string(fd) : found->second;
}

std::string RecordingSys::place(int dir, const std::string& path) const {
  if (dir == AT_FDCWD || path.starts_with('/')) {
    return path;
  }
  return path.empty() ? name_of(dir) : name_of(dir) + "/" + path;
}

Result<UniqueFd> RecordingSys::open(int dir, const std::string& path, int flags, mode_t /*mode*/) {
  const std::string where = place(dir, path);
  const bool writes = (flags & (O_WRONLY | O_RDWR)) != 0;
  return hand_out((writes ? "open_write " : "open ") + where, where);
}

Result<UniqueFd> RecordingSys::open_resolved(int dir, const std::string& path, int /*flags*/,
                                             std::uint64_t resolve) {
  const std::string where = place(dir, path);
  return hand_out("open_resolved " + where + " " + hex(resolve), where);
}

Result<void> RecordingSys::mkdir(int dir, const std::string& path, mode_t mode) {
  return record("mkdir " + place(dir, path) + " " + octal(mode));
}

Result<void> RecordingSys::rmdir(int dir, const std::string& path) {
  return record("rmdir " + place(dir, path));
}

Result<void> RecordingSys::unlink(int dir, const std::string& path) {
  return record("unlink " + place(dir, path));
}

Result<void> RecordingSys::rename(int dir, const std::string& from, const std::string& to) {
  return record("rename " + place(dir, from) + " " + place(dir, to));
}

Result<std::string> RecordingSys::read_file(int dir, const std::string& path,
                                            std::size_t max_bytes) {
  const std::string where = place(dir, path);
  TRY(record("read " + where));
  const auto found = files.find(where);
  if (found == files.end()) {
    return fail_errno("read " + where, ENOENT);
  }
  if (found->second.size() > max_bytes) {
    return runhl::fail(ErrorCode::InvalidArgument, "read " + where + ": too long");
  }
  return found->second;
}

Result<void> RecordingSys::write_file(int dir, const std::string& path, std::string_view text) {
  return record("write " + place(dir, path) + " " + one_line(text));
}

Result<void> RecordingSys::write(int fd, std::string_view text, const std::string& /*what*/) {
  return record("write <" + name_of(fd) + "> " + one_line(text));
}

Result<FileStat> RecordingSys::stat(int fd, const std::string& /*what*/) {
  TRY(record("stat <" + name_of(fd) + ">"));
  constexpr mode_t kDirectory = S_IFDIR | 0755;
  const auto found = modes.find(name_of(fd));
  FileStat status;
  status.mode = found == modes.end() ? kDirectory : found->second;
  const auto inode = inodes.find(name_of(fd));
  status.inode = inode == inodes.end() ? 0 : inode->second;
  return status;
}

Result<std::uint64_t> RecordingSys::file_system(int fd, const std::string& /*what*/) {
  TRY(record("statfs <" + name_of(fd) + ">"));
  const auto found = fs_magics.find(name_of(fd));
  return found == fs_magics.end() ? kExt4Magic : found->second;
}

Result<bool> RecordingSys::try_lock_byte(int fd, off_t offset) {
  TRY(record("lock <" + name_of(fd) + "> " + std::to_string(offset)));
  return std::find(locked_bytes.begin(), locked_bytes.end(), offset) == locked_bytes.end();
}

Result<bool> RecordingSys::try_lock_file(int fd, const std::string& /*what*/) {
  const std::string name = name_of(fd);
  TRY(record("flock <" + name + ">"));
  return std::find(locked_files.begin(), locked_files.end(), name) == locked_files.end();
}

Result<std::string> RecordingSys::attribute(const std::string& path, const std::string& name) {
  TRY(record("getxattr " + path + " " + name));
  const auto found = file_attributes.find(path + " " + name);
  if (found == file_attributes.end()) {
    return fail_errno("getxattr " + name + " " + path, ENODATA);
  }
  return found->second;
}

Result<void> RecordingSys::set_attribute(int fd, const std::string& name, std::string_view value,
                                         const std::string& /*what*/) {
  TRY(record("setxattr <" + name_of(fd) + "> " + name + " " + std::string(value)));
  file_attributes[name_of(fd) + " " + name] = value;
  return {};
}

Result<UniqueFd> RecordingSys::new_mount(
    const std::string& type, std::span<const std::pair<std::string, std::string>> options,
    std::uint64_t attributes) {
  std::string text = "new_mount " + type;
  for (const auto& [key, value] : options) {
    text.append(" ").append(key).append("=").append(value);
  }
  return hand_out(text + " " + attribute_names(attributes), type);
}

Result<UniqueFd> RecordingSys::open_tree(int dir, const std::string& path, unsigned flags) {
  const std::string where = place(dir, path);
  const bool recursive = (flags & AT_RECURSIVE) != 0;
  return hand_out((recursive ? "open_tree recursive " : "open_tree ") + where, where);
}

Result<void> RecordingSys::attach_mount(int mount, int dir, const std::string& path) {
  return record("attach <" + name_of(mount) + "> " + place(dir, path));
}

Result<void> RecordingSys::set_mount_attributes(int dir, const std::string& path, unsigned flags,
                                                std::uint64_t attributes) {
  const bool recursive = (flags & AT_RECURSIVE) != 0;
  return record("mount_attributes " + std::string(recursive ? "recursive " : "") +
                place(dir, path) + " " + attribute_names(attributes));
}

Result<void> RecordingSys::set_propagation(const std::string& path, unsigned long flags) {
  return record("propagation " + path + " " + hex(flags));
}

Result<void> RecordingSys::unmount(const std::string& path, int /*flags*/) {
  return record("unmount " + path);
}

Result<void> RecordingSys::pivot_root(const std::string& new_root, const std::string& put_old) {
  return record("pivot_root " + new_root + " " + put_old);
}

Result<void> RecordingSys::chdir(const std::string& path) {
  return record("chdir " + path);
}
Result<void> RecordingSys::fchdir(int fd) {
  return record("fchdir <" + name_of(fd) + ">");
}

Result<void> RecordingSys::unshare(int /*flags*/, const std::string& what) {
  return record("unshare " + what);
}

Result<void> RecordingSys::setns(int fd, int /*type*/, const std::string& what) {
  return record("setns <" + name_of(fd) + "> " + what);
}

Result<void> RecordingSys::set_hostname(const std::string& name) {
  return record("sethostname " + name);
}

Result<void> RecordingSys::set_domainname(const std::string& name) {
  return record("setdomainname " + name);
}

Result<void> RecordingSys::bring_interface_up(const std::string& name) {
  return record("interface_up " + name);
}

Result<void> RecordingSys::set_groups(std::span<const std::uint32_t> groups) {
  std::string text = "setgroups";
  for (const std::uint32_t group : groups) {
    text += " " + std::to_string(group);
  }
  return record(text);
}

Result<void> RecordingSys::set_gids(gid_t id) {
  TRY(record("setgid " + std::to_string(id)));
  gid = id;
  return {};
}

Result<void> RecordingSys::set_uids(uid_t id) {
  TRY(record("setuid " + std::to_string(id)));
  uid = id;
  return {};
}

Result<CapabilityState> RecordingSys::capabilities() {
  TRY(record("capget"));
  return caps;
}

Result<void> RecordingSys::set_capabilities(const CapabilityState& state) {
  TRY(record("capset e=" + hex(state.effective) + " p=" + hex(state.permitted) +
             " i=" + hex(state.inheritable)));
  caps = state;
  return {};
}

Result<int> RecordingSys::prctl(int /*option*/, unsigned long argument, const std::string& what) {
  TRY(record("prctl " + what + " " + std::to_string(argument)));
  return 0;
}

Result<void> RecordingSys::set_rlimit(int resource, std::uint64_t soft, std::uint64_t hard) {
  return record("setrlimit " + std::to_string(resource) + " " + std::to_string(soft) + " " +
                std::to_string(hard));
}

Result<void> RecordingSys::kill(pid_t pid, int signal) {
  return record("kill " + std::to_string(pid) + " " + std::to_string(signal));
}

void RecordingSys::sleep_ms(int milliseconds) {
  calls.push_back("sleep " + std::to_string(milliseconds));
}

Result<UniqueFd> RecordingSys::event_fd() {
  return hand_out("eventfd", "eventfd");
}

Result<UniqueFd> RecordingSys::watch_file(int dir, const std::string& path) {
  const std::string where = place(dir, path);
  return hand_out("watch " + where, "watch " + where);
}

Result<UniqueFd> RecordingSys::landlock_create(std::uint64_t handled_file_access) {
  return hand_out("landlock_create " + hex(handled_file_access), "ruleset");
}

Result<void> RecordingSys::landlock_allow(int /*ruleset*/, int /*parent*/, std::uint64_t access,
                                          const std::string& what) {
  return record("landlock_allow " + what + " " + hex(access));
}

Result<void> RecordingSys::landlock_restrict(int /*ruleset*/) {
  return record("landlock_restrict");
}

Result<void> RecordingSys::set_seccomp_filter(std::span<const sock_filter> filter) {
  TRY(record("seccomp"));
  filter_length = filter.size();
  return {};
}

}  // namespace runhl
