// SPDX-License-Identifier: Apache-2.0
#include "lifecycle/upstream_ledger.h"

#include <algorithm>
#include <array>

namespace runhl::shim {
namespace {

using oci::LedgerRow;
using enum oci::Disposition;

constexpr std::array kRows = {
    LedgerRow{"/domainname", HoldsBecause, "a name alone; the kernel has none"},
    LedgerRow{"/hooks/startContainer", Refused, "the kernel runs one program"},
    LedgerRow{"/hostname", EnforcedByGuest, "set before the program begins"},
    LedgerRow{"/linux/devices", HoldsBecause, "the guest has no more than null, zero and random"},
    LedgerRow{"/linux/maskedPaths", HoldsBecause,
              "nothing of the host's is below /proc, /sys and /dev; other paths are refused"},
    LedgerRow{"/linux/readonlyPaths", HoldsBecause,
              "nothing of the host's is below /proc, /sys and /dev; other paths are refused"},
    LedgerRow{"/linux/sysctl", EnforcedOnHost,
              "net.* in the container's network namespace; others are refused"},
    LedgerRow{"/mounts", EnforcedOnHost,
              "directories are served beneath one descriptor each, files copied at create"},
    LedgerRow{"/mounts/*/destination", EnforcedByGuest,
              "absolute and plain; below /dev, /proc and /sys a bind is refused"},
    LedgerRow{
        "/mounts/*/options", EnforcedOnHost,
        "ro of directories; nosuid and nodev hold, since there are neither users nor devices; "
        "noexec, and ro or a size of places in memory, are refused, but for those that engines "
        "give every container"},
    LedgerRow{"/mounts/*/type", HoldsBecause,
              "a tmpfs is a part of the root file system; of the others the guest has nothing"},
    LedgerRow{"/process", EnforcedByGuest, "as its members say"},
    LedgerRow{"/process/args", EnforcedByGuest, "as given; what does not fit is refused"},
    LedgerRow{"/process/capabilities", EnforcedOnHost,
              "what serves the guest has at most these; inside there is one domain"},
    LedgerRow{"/process/cwd", EnforcedByGuest, "gone to before the program begins"},
    LedgerRow{"/process/env", EnforcedByGuest, "as given; what does not fit is refused"},
    LedgerRow{"/process/noNewPrivileges", HoldsBecause, "there are no users to become"},
    LedgerRow{"/process/rlimits", HoldsBecause,
              "where there is nothing to bound, or the host bounds it; others are refused"},
    LedgerRow{"/process/user", EnforcedOnHost,
              "root alone, and the ceiling's ids on the host; others are refused"},
    LedgerRow{"/process/user/additionalGids", EnforcedOnHost,
              "of what serves the guest; inside there are none"},
    LedgerRow{"/process/user/umask", EnforcedByGuest, "022; another one is refused"},
    LedgerRow{"/root/path", EnforcedOnHost, "converted into an archive, and only read"},
    LedgerRow{"/root/readonly", Refused,
              "a copy in the guest's memory, which programs may change; remove it"},
};
static_assert(std::is_sorted(kRows.begin(), kRows.end(),
                             [](const LedgerRow& a, const LedgerRow& b) {
                               return a.pointer < b.pointer;
                             }));

const LedgerRow* find_row(std::string_view pointer) {
  const auto* const row = std::find_if(kRows.begin(), kRows.end(), [pointer](const LedgerRow& one) {
    return one.pointer == pointer;
  });
  return row == kRows.end() ? nullptr : row;
}

}  // namespace

std::span<const LedgerRow> upstream_ledger() {
  return kRows;
}

const LedgerRow* upstream_ledger_row(std::string_view pointer) {
  const LedgerRow* const common = oci::find_ledger_row(pointer);
  if (common == nullptr) {
    return nullptr;
  }
  for (std::string_view at = pointer; !at.empty(); at = at.substr(0, at.rfind('/'))) {
    // "/process" stands for no member of its own: each has a row here or the common one.
    if (const LedgerRow* const row = find_row(at);
        row != nullptr && (at == pointer || at != "/process")) {
      return row;
    }
  }
  return common;
}

}  // namespace runhl::shim
