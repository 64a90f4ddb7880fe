// SPDX-License-Identifier: Apache-2.0
#include "fs/device_rules.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <vector>

namespace runhl::kernel {
namespace {

constexpr std::uint32_t kAll = abi::kDeviceRead | abi::kDeviceWrite | abi::kDeviceMknod;

abi::BootDeviceRule rule(bool allow, char type, std::int64_t major, std::int64_t minor,
                         std::uint32_t access = kAll) {
  return {.allow = allow ? 1U : 0U,
          .type = static_cast<unsigned char>(type),
          .access = access,
          .reserved = 0,
          .major = major,
          .minor = minor};
}

abi::FileAttr device(std::uint32_t type, std::uint32_t major, std::uint32_t minor) {
  abi::FileAttr attr{};
  attr.mode = type | 0666;
  attr.rdev_major = major;
  attr.rdev_minor = minor;
  return attr;
}

TEST(DeviceRules, What_every_container_has_needs_no_rule) {
  const std::vector<abi::BootDeviceRule> none{rule(false, 'a', -1, -1)};
  EXPECT_TRUE(device_allowed(none, device(S_IFCHR, 1, 3), abi::kDeviceRead | abi::kDeviceWrite));
  EXPECT_TRUE(device_allowed(none, device(S_IFCHR, 136, 7), abi::kDeviceRead));
  EXPECT_FALSE(device_allowed(none, device(S_IFBLK, 1, 3), abi::kDeviceRead)) << "a RAM disk";
  EXPECT_FALSE(device_allowed(none, device(S_IFCHR, 1, 1), abi::kDeviceRead)) << "memory";
  EXPECT_FALSE(device_allowed({}, device(S_IFCHR, 10, 229), abi::kDeviceRead));
}

TEST(DeviceRules, The_last_rule_counts_for_each_access) {
  const std::vector<abi::BootDeviceRule> rules{
      rule(false, 'a', -1, -1), rule(true, 'c', -1, -1, abi::kDeviceMknod),
      rule(true, 'c', 10, 229), rule(false, 'c', 10, 229, abi::kDeviceWrite)};
  EXPECT_TRUE(device_allowed(rules, device(S_IFCHR, 10, 229), abi::kDeviceRead));
  EXPECT_FALSE(device_allowed(rules, device(S_IFCHR, 10, 229), abi::kDeviceWrite));
  EXPECT_FALSE(
      device_allowed(rules, device(S_IFCHR, 10, 229), abi::kDeviceRead | abi::kDeviceWrite));
  EXPECT_FALSE(device_allowed(rules, device(S_IFCHR, 10, 228), abi::kDeviceRead));
  EXPECT_FALSE(device_allowed(rules, device(S_IFBLK, 10, 229), abi::kDeviceRead));
}

TEST(DeviceRules, All_devices_of_a_privileged_container) {
  const std::vector<abi::BootDeviceRule> rules{rule(false, 'a', -1, -1), rule(true, 'a', -1, -1)};
  EXPECT_TRUE(device_allowed(rules, device(S_IFBLK, 8, 0), kAll));
}

}  // namespace
}  // namespace runhl::kernel
