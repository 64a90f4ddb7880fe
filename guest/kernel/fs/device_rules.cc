// SPDX-License-Identifier: Apache-2.0
#include "fs/device_rules.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>

#include "host/events.h"

namespace runhl::kernel {
namespace {

struct Number {
  std::uint32_t major;
  std::int64_t minor;  // -1: all
};
// Character devices (Linux, Documentation/admin-guide/devices.txt): null, zero, full, random,
// urandom, tty, ptmx, the terminals that Unix98 ptys are.
constexpr std::array<Number, 8> kEverywhere{
    {{1, 3}, {1, 5}, {1, 7}, {1, 8}, {1, 9}, {5, 0}, {5, 2}, {136, -1}}};

bool is_everywhere(const abi::FileAttr& device) {
  return S_ISCHR(device.mode) &&
         std::any_of(kEverywhere.begin(), kEverywhere.end(), [&](const Number& number) {
           return number.major == device.rdev_major &&
                  (number.minor < 0 || number.minor == device.rdev_minor);
         });
}

bool matches(const abi::BootDeviceRule& rule, const abi::FileAttr& device) {
  const std::uint32_t type = S_ISBLK(device.mode) ? 'b' : 'c';
  return (rule.type == 'a' || rule.type == type) &&
         (rule.major < 0 || rule.major == device.rdev_major) &&
         (rule.minor < 0 || rule.minor == device.rdev_minor);
}

}  // namespace

bool device_allowed(std::span<const abi::BootDeviceRule> rules, const abi::FileAttr& device,
                    std::uint32_t access) {
  if (is_everywhere(device)) {
    return true;
  }
  std::uint32_t granted = 0;
  for (const abi::BootDeviceRule& rule : rules) {
    if (matches(rule, device)) {
      granted = rule.allow != 0 ? granted | rule.access : granted & ~rule.access;
    }
  }
  return (access & ~granted) == 0;
}

Result<void> check_device(const abi::FileAttr& attr, std::uint32_t access) {
  if ((!S_ISCHR(attr.mode) && !S_ISBLK(attr.mode)) || is_everywhere(attr)) {
    return {};
  }
  const abi::BootConfig& config = boot_config();
  // SAFETY: the monitor wrote the table, aligned, behind the configuration.
  const auto* const rules =
      reinterpret_cast<const abi::BootDeviceRule*>(boot_string(config.device_rules));
  return device_allowed({rules, config.device_rule_count}, attr, access) ? Result<void>{}
                                                                         : fail(EPERM);
}

}  // namespace runhl::kernel
