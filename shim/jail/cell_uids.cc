// SPDX-License-Identifier: Apache-2.0
#include "runhl/shim/cell_uids.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <charconv>
#include <optional>
#include <string_view>

#include "runhl/shim/rootless.h"

namespace runhl::shim {
namespace {

/// The next number of a line of a uid map.
std::optional<std::uint64_t> take_number(std::string_view* text) {
  const std::size_t start = text->find_first_not_of(' ');
  if (start == std::string_view::npos) {
    return std::nullopt;
  }
  std::uint64_t value = 0;
  const char* const end = text->data() + text->size();
  const auto parsed = std::from_chars(text->data() + start, end, value);
  if (parsed.ec != std::errc{}) {
    return std::nullopt;
  }
  text->remove_prefix(static_cast<std::size_t>(parsed.ptr - text->data()));
  return value;
}

/// Whether one line of the map ("inside outside count") covers the whole range.
bool maps_range(std::string_view map, const CellUidOptions& range) {
  while (!map.empty()) {
    const std::size_t end = map.find('\n');
    std::string_view line = map.substr(0, end);
    map.remove_prefix(end == std::string_view::npos ? map.size() : end + 1);
    const auto inside = take_number(&line);
    const auto outside = take_number(&line);
    const auto count = take_number(&line);
    if (inside && outside && count && range.first >= *inside &&
        std::uint64_t{range.first} + range.count <= *inside + *count) {
      return true;
    }
  }
  return false;
}

/// The host's own, which maps every id to itself: no map needs to be printed and parsed to know.
Result<bool> in_initial_user_namespace(Sys& sys, int proc) {
  constexpr std::uint64_t kInitialInode = 0xEFFF'FFFD;  // USER_NS_INIT_INO, linux/nsfs.h of 6.18
  const UniqueFd space = TRY(sys.open(proc, "self/ns/user", O_PATH));
  return TRY(sys.stat(space.get(), "self/ns/user")).inode == kInitialInode;
}

Result<bool> can_use_range(Sys& sys, int proc, const CellUidOptions& range) {
  if (TRY(privilege_of_caller(sys)) == Privilege::Rootless) {
    return false;
  }
  if (TRY(in_initial_user_namespace(sys, proc))) {
    return true;
  }
  constexpr std::size_t kMaxMap = 65'536;
  const std::string uids = TRY(sys.read_file(proc, "self/uid_map", kMaxMap));
  const std::string gids = TRY(sys.read_file(proc, "self/gid_map", kMaxMap));
  return maps_range(uids, range) && maps_range(gids, range);
}

CellUid callers_own(Sys& sys) {
  CellUid cell;
  cell.identity = {.uid = sys.effective_uid(), .gid = sys.effective_gid(), .own = false};
  return cell;
}

}  // namespace

Result<CellUid> claim_cell_uid(Sys& sys, int proc, const CellUidOptions& options) {
  if (options.count == 0 || !TRY(can_use_range(sys, proc, options))) {
    return callers_own(sys);
  }
  constexpr mode_t kMode = 0600;
  UniqueFd file = TRY(with_context(
      "cell uid", sys.open(AT_FDCWD, options.lock_file, O_RDWR | O_CREAT | O_NOFOLLOW, kMode)));
  // Pids differ between living monitors, so the first look is nearly always free.
  const std::uint32_t start = static_cast<std::uint32_t>(::getpid()) % options.count;
  for (std::uint32_t step = 0; step < options.count; ++step) {
    const std::uint32_t offset = (start + step) % options.count;
    if (TRY(with_context("cell uid", sys.try_lock_byte(file.get(), offset)))) {
      const std::uint32_t id = options.first + offset;
      return CellUid{.identity = {.uid = id, .gid = id, .own = true}, .lock = std::move(file)};
    }
  }
  return fail(ErrorCode::Io, "cell uid: all " + std::to_string(options.count) + " from " +
                                 std::to_string(options.first) + " are taken");
}

}  // namespace runhl::shim
