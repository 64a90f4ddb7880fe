// SPDX-License-Identifier: Apache-2.0
#include "runhl/run_spec/users.h"

#include <algorithm>
#include <optional>

#include "runhl/base/number.h"

namespace runhl::oci {
namespace {

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const std::size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) {
      return parts;
    }
    text.remove_prefix(end + 1);
  }
}

std::optional<std::uint32_t> number(std::string_view text) {
  const auto value = whole_number<std::uint32_t>(text);
  // The highest one means "no id" to the kernel.
  return value != UINT32_MAX ? value : std::nullopt;
}

/// The fields of the first line that has `key` as its name or, where it is a number, as its id.
std::vector<std::string_view> find_line(std::string_view file, std::string_view key,
                                        std::size_t fields) {
  const std::optional<std::uint32_t> id = number(key);
  std::vector<std::string_view> by_id;
  for (const std::string_view line : split(file, '\n')) {
    std::vector<std::string_view> parts = split(line, ':');
    if (parts.size() < fields) {
      continue;
    }
    if (parts[0] == key) {
      return parts;
    }
    if (by_id.empty() && id && number(parts[2]) == id) {
      by_id = std::move(parts);
    }
  }
  return by_id;
}

constexpr std::size_t kPasswdFields = 7, kGroupFields = 4;

Result<std::uint32_t> find_group(std::string_view wanted, std::string_view group) {
  const auto line = find_line(group, wanted, kGroupFields);
  const auto id = line.empty() ? number(wanted) : number(line[2]);
  if (!id) {
    return fail(ErrorCode::NotFound, "the image has no group \"" + std::string(wanted) + "\"");
  }
  return *id;
}

std::vector<std::uint32_t> groups_of(std::string_view name, std::string_view group) {
  std::vector<std::uint32_t> ids;
  for (const std::string_view line : split(group, '\n')) {
    const auto parts = split(line, ':');
    if (parts.size() < kGroupFields) {
      continue;
    }
    const auto members = split(parts[3], ',');
    const auto id = number(parts[2]);
    if (id && std::find(members.begin(), members.end(), name) != members.end()) {
      ids.push_back(*id);
    }
  }
  return ids;
}

}  // namespace

Result<ImageUser> find_user(std::string_view wanted, std::string_view passwd,
                            std::string_view group) {
  const std::size_t colon = wanted.find(':');
  std::string_view user = wanted.substr(0, colon);
  const std::string_view asked_group =
      colon == std::string_view::npos ? std::string_view() : wanted.substr(colon + 1);
  if (user.empty()) {
    user = "0";
  }
  ImageUser out;
  const auto line = find_line(passwd, user, kPasswdFields);
  const auto uid = line.empty() ? number(user) : number(line[2]);
  if (!uid) {
    return fail(ErrorCode::NotFound, "the image has no user \"" + std::string(user) + "\"");
  }
  out.uid = *uid;
  if (!line.empty()) {
    out.gid = number(line[3]).value_or(0);
    out.home = line[5].empty() ? "/" : std::string(line[5]);
  }
  if (!asked_group.empty()) {
    out.gid = TRY(find_group(asked_group, group));
  } else if (!line.empty()) {
    out.additional_gids = groups_of(line[0], group);
  }
  return out;
}

}  // namespace runhl::oci
