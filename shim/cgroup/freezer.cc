// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>

#include "runhl/shim/cgroup.h"

namespace runhl::shim {
namespace {

std::string_view freeze_word(CgroupVersion version) {
  return version == CgroupVersion::V2 ? "1" : "FROZEN";
}
std::string_view thaw_word(CgroupVersion version) {
  return version == CgroupVersion::V2 ? "0" : "THAWED";
}

CgroupVersion version_of(const std::string& freezer_file) {
  return freezer_file.ends_with("/cgroup.freeze") ? CgroupVersion::V2 : CgroupVersion::V1;
}

/// Version 2 answers at once with what was asked for; whether it is so is in another file.
Result<bool> stand_still(Sys& sys, const std::string& freezer_file) {
  constexpr std::size_t kMaxBytes = 4096;
  if (version_of(freezer_file) == CgroupVersion::V1) {
    return is_frozen(TRY(sys.read_file(AT_FDCWD, freezer_file, kMaxBytes)));
  }
  const std::string directory = freezer_file.substr(0, freezer_file.rfind('/'));
  const std::string events = TRY(sys.read_file(AT_FDCWD, directory + "/cgroup.events", kMaxBytes));
  return events.find("frozen 1") != std::string::npos;
}

/// Version 1 gives up on a task that cannot stop just now, and wants to be told again.
Result<void> freeze_patiently(Sys& sys, const std::string& freezer_file) {
  constexpr int kTries = 200, kPauseMs = 10;  // two seconds
  for (int attempt = 0; attempt < kTries; ++attempt) {
    TRY(sys.write_file(AT_FDCWD, freezer_file, freeze_word(version_of(freezer_file))));
    if (TRY(stand_still(sys, freezer_file))) {
      return {};
    }
    sys.sleep_ms(attempt == 0 ? 1 : kPauseMs);
  }
  return fail(ErrorCode::Timeout, freezer_file + ": the container does not come to a stop");
}

}  // namespace

Result<void> freeze_cells(Sys& sys, const std::string& freezer_file) {
  auto frozen = freeze_patiently(sys, freezer_file);
  if (!frozen) {
    (void)thaw_cells(sys, freezer_file);  // the first error counts
  }
  return frozen;
}

Result<void> thaw_cells(Sys& sys, const std::string& freezer_file) {
  return sys.write_file(AT_FDCWD, freezer_file, thaw_word(version_of(freezer_file)));
}

Result<void> Thaw::operator()(Sys& sys) const {
  return sys.write(file_.get(), thaw_word(version_), "the cells' freezer");
}

bool is_frozen(std::string_view freezer_text) {
  return freezer_text.starts_with("FROZEN") || freezer_text.starts_with("1");
}

}  // namespace runhl::shim
