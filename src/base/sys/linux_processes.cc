// SPDX-License-Identifier: Apache-2.0
#include <grp.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <ctime>

#include "sys/linux_sys.h"

namespace runhl {
namespace {

constexpr unsigned kWordBits = 32;
using CapabilityWords = std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3>;

std::uint64_t joined(std::uint32_t low, std::uint32_t high) {
  return (std::uint64_t{high} << kWordBits) | low;
}

__user_cap_data_struct word(const CapabilityState& state, unsigned shift) {
  return {.effective = static_cast<std::uint32_t>(state.effective >> shift),
          .permitted = static_cast<std::uint32_t>(state.permitted >> shift),
          .inheritable = static_cast<std::uint32_t>(state.inheritable >> shift)};
}

}  // namespace

uid_t LinuxSys::effective_uid() {
  return ::geteuid();
}
gid_t LinuxSys::effective_gid() {
  return ::getegid();
}

Result<void> LinuxSys::set_groups(std::span<const std::uint32_t> groups) {
  static_assert(sizeof(gid_t) == sizeof(std::uint32_t));
  return check_call(::setgroups(groups.size(), groups.data()), "setgroups",
                    std::to_string(groups.size()));
}

Result<void> LinuxSys::set_gids(gid_t id) {
  return check_call(::setresgid(id, id, id), "setresgid", std::to_string(id));
}

Result<void> LinuxSys::set_uids(uid_t id) {
  return check_call(::setresuid(id, id, id), "setresuid", std::to_string(id));
}

Result<CapabilityState> LinuxSys::capabilities() {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  CapabilityWords words{};
  TRY(check_call(::syscall(SYS_capget, &header, words.data()), "capget", "0"));
  return CapabilityState{.effective = joined(words[0].effective, words[1].effective),
                         .permitted = joined(words[0].permitted, words[1].permitted),
                         .inheritable = joined(words[0].inheritable, words[1].inheritable)};
}

Result<void> LinuxSys::set_capabilities(const CapabilityState& state) {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  const CapabilityWords words = {word(state, 0), word(state, kWordBits)};
  return check_call(::syscall(SYS_capset, &header, words.data()), "capset", "0");
}

Result<int> LinuxSys::prctl(int option, unsigned long argument, const std::string& what) {
  const int result = ::prctl(option, argument, 0UL, 0UL, 0UL);
  TRY(check_call(result, "prctl", what));
  return result;
}

Result<void> LinuxSys::set_rlimit(int resource, std::uint64_t soft, std::uint64_t hard) {
  const rlimit limit{.rlim_cur = soft, .rlim_max = hard};
  return check_call(::setrlimit(static_cast<__rlimit_resource>(resource), &limit), "setrlimit",
                    std::to_string(resource));
}

Result<void> LinuxSys::kill(pid_t pid, int signal) {
  return check_call(::kill(pid, signal), "kill", std::to_string(pid));
}

void LinuxSys::sleep_ms(int milliseconds) {
  constexpr long kNanosecondsPerMs = 1'000'000;
  const timespec time{.tv_sec = milliseconds / 1000,
                      .tv_nsec = milliseconds % 1000 * kNanosecondsPerMs};
  (void)::nanosleep(&time, nullptr);  // waking early does no harm
}

}  // namespace runhl
