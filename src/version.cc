// SPDX-License-Identifier: Apache-2.0
#include "version.h"

#include <cstdio>

namespace runhl {

std::string_view program_version() {
  return RUNHL_VERSION;
}
std::string_view program_commit() {
  return RUNHL_COMMIT;
}

void print_version() {
  (void)std::printf("runhl version %s\n", program_version().data());
  if (!program_commit().empty()) {
    (void)std::printf("commit: %s\n", program_commit().data());
  }
  (void)std::printf("spec: %s\n", kOciVersion.data());
}

}  // namespace runhl
