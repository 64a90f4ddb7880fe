// SPDX-License-Identifier: Apache-2.0
#include "cgroup/mount_info.h"

#include <algorithm>
#include <array>

namespace runhl::shim {
namespace {

/// The text before `separator`, which is taken off with it.
std::string_view take_until(std::string_view* text, char separator) {
  const std::size_t end = text->find(separator);
  const std::string_view word = text->substr(0, end);
  text->remove_prefix(end == std::string_view::npos ? text->size() : end + 1);
  return word;
}

/// Spaces and the like are written as \040.
std::string unescape(std::string_view text) {
  constexpr std::size_t kDigits = 3;
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const std::string_view digits = text.substr(i + 1, kDigits);
    const bool octal = text[i] == '\\' && digits.size() == kDigits &&
                       digits.find_first_not_of("01234567") == std::string_view::npos;
    if (!octal) {
      out += text[i];
      continue;
    }
    out += static_cast<char>((digits[0] - '0') * 64 + (digits[1] - '0') * 8 + (digits[2] - '0'));
    i += kDigits;
  }
  return out;
}

/// Super options are the hierarchy's controllers, beside what every mount may have.
bool is_controller(std::string_view option) {
  constexpr std::array<std::string_view, 10> kOthers = {
      "rw",   "ro",           "xattr", "noprefix",       "clone_children",
      "none", "favordynmods", "sync",  "cpuset_v2_mode", "relatime"};
  return !option.starts_with("release_agent=") &&
         std::find(kOthers.begin(), kOthers.end(), option) == kOthers.end();
}

/// "36 35 98:0 /root /mnt rw,noatime master:1 - ext3 /dev/root rw,errors=continue"
bool parse_line(std::string_view line, CgroupMount* mount) {
  constexpr int kBeforeMountPoint = 4;
  const std::size_t dash = line.find(" - ");
  if (dash == std::string_view::npos) {
    return false;
  }
  std::string_view tail = line.substr(dash + 3);
  const std::string_view type = take_until(&tail, ' ');
  if (type != "cgroup" && type != "cgroup2") {
    return false;
  }
  for (int i = 0; i < kBeforeMountPoint; ++i) {
    (void)take_until(&line, ' ');
  }
  mount->mount_point = unescape(take_until(&line, ' '));
  mount->v2 = type == "cgroup2";
  (void)take_until(&tail, ' ');  // the source
  while (!mount->v2 && !tail.empty()) {
    const std::string_view option = take_until(&tail, ',');
    if (is_controller(option)) {
      mount->controllers.emplace_back(option);
    }
  }
  return true;
}

}  // namespace

std::vector<CgroupMount> cgroup_mounts(std::string_view mount_info) {
  std::vector<CgroupMount> mounts;
  while (!mount_info.empty()) {
    CgroupMount mount;
    if (!parse_line(take_until(&mount_info, '\n'), &mount)) {
      continue;
    }
    const bool known = std::any_of(mounts.begin(), mounts.end(), [&](const CgroupMount& other) {
      return other.v2 == mount.v2 && other.controllers == mount.controllers;
    });
    if (!known) {
      mounts.push_back(std::move(mount));
    }
  }
  return mounts;
}

}  // namespace runhl::shim
