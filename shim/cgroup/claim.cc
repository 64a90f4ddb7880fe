// SPDX-License-Identifier: Apache-2.0
#include "cgroup/claim.h"

#include <fcntl.h>

#include <cerrno>
#include <optional>

namespace runhl::shim {
namespace {

constexpr const char* kOwnerAttribute = "user.runhl.owner";
constexpr mode_t kMode = 0755;

Result<UniqueFd> open_group(Sys& sys, const std::string& directory) {
  return sys.open(AT_FDCWD, directory, O_RDONLY | O_DIRECTORY);
}

bool is_gone(const Error& error) {
  return error.code == ErrorCode::NotFound || error.os_errno == ENODEV;
}

Result<void> refuse_populated(Sys& sys, const std::string& directory) {
  constexpr std::size_t kMaxBytes = 1 << 20;
  const std::string procs = TRY(sys.read_file(AT_FDCWD, directory + "/cgroup.procs", kMaxBytes));
  if (procs.empty()) {
    return {};
  }
  return fail(ErrorCode::InvalidArgument, directory + " has processes in it already");
}

/// No descriptor: the group was removed under our hands.
Result<UniqueFd> try_claim(Sys& sys, const std::string& directory, const std::string& owner) {
  const auto made = sys.mkdir(AT_FDCWD, directory, kMode);
  if (!made && made.error().code != ErrorCode::AlreadyExists) {
    return tl::unexpected(made.error());
  }
  auto group = open_group(sys, directory);
  if (!group) {
    return is_gone(group.error()) ? Result<UniqueFd>() : std::move(group);
  }
  if (!TRY(sys.try_lock_file(group->get(), directory))) {
    return fail(ErrorCode::InvalidArgument, directory + " is being taken by another container");
  }
  // Also when we made it: another may have been faster with the lock.
  if (const auto empty = refuse_populated(sys, directory); !empty) {
    return is_gone(empty.error()) ? Result<UniqueFd>() : tl::unexpected(empty.error());
  }
  TRY(sys.set_attribute(group->get(), kOwnerAttribute, owner, directory));
  // Removed before it was locked, and perhaps made anew: then what has our mark has no name.
  const auto named = sys.attribute(directory, kOwnerAttribute);
  return named && *named == owner ? std::move(group) : Result<UniqueFd>();
}

}  // namespace

Result<UniqueFd> claim_group(Sys& sys, const std::string& directory, const std::string& owner) {
  constexpr int kTries = 100;  // each lost one is a whole container's end in between
  for (int attempt = 0; attempt < kTries; ++attempt) {
    UniqueFd group = TRY(try_claim(sys, directory, owner));
    if (group) {
      return group;
    }
  }
  return fail(ErrorCode::InvalidArgument, directory + " is removed as often as it is made");
}

Result<HeldGroup> hold_group(Sys& sys, const std::string& directory, const std::string& owner) {
  constexpr int kTries = 100, kPauseMs = 10;  // one second
  auto group = open_group(sys, directory);
  if (!group) {
    return is_gone(group.error()) ? Result<HeldGroup>() : tl::unexpected(group.error());
  }
  for (int attempt = 0; !TRY(sys.try_lock_file(group->get(), directory)); ++attempt) {
    if (attempt == kTries) {
      return fail_errno(directory + " is being taken by another container", EBUSY);
    }
    sys.sleep_ms(kPauseMs);
  }
  const auto named = sys.attribute(directory, kOwnerAttribute);
  if (!named && named.error().os_errno != ENODATA) {
    return is_gone(named.error()) ? Result<HeldGroup>() : tl::unexpected(named.error());
  }
  if (named && *named != owner) {
    return HeldGroup{};
  }
  return HeldGroup{.ownership = named ? Ownership::Ours : Ownership::Nobodys,
                   .lock = std::move(*group)};
}

}  // namespace runhl::shim
