// SPDX-License-Identifier: Apache-2.0
#include "version.h"

namespace runhl {

std::string_view program_version() {
  return RUNHL_VERSION;
}
std::string_view program_commit() {
  return RUNHL_COMMIT;
}

std::string version_text() {
  std::string text = "runhl version " + std::string(program_version()) + "\n";
  if (!program_commit().empty()) {
    text.append("commit: ").append(program_commit()).append("\n");
  }
  return text.append("spec: ").append(kOciVersion).append("\n");
}

}  // namespace runhl
