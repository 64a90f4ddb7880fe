// SPDX-License-Identifier: Apache-2.0
// Prints docs/syscalls.md from the kernel's table.
//
//   runhl_print_syscalls > docs/syscalls.md
#include <cstdio>
#include <iterator>
#include <string_view>

#include "syscalls/table.h"

namespace {

struct Row {
  int number;
  const char* name;
  std::string_view support;
  const char* missing;
};

#define RUNHL_PRINT_ROW(number, name, handler, support, locks, missing) \
  {number, #name, #support, missing},
constexpr Row kRows[] = {RUNHL_SYSCALL_TABLE(RUNHL_PRINT_ROW)};
#undef RUNHL_PRINT_ROW

}  // namespace

int main() {
  int full = 0;
  for (const Row& row : kRows) {
    full += row.support == "Full" ? 1 : 0;
  }
  std::printf("<!-- SPDX-License-Identifier: Apache-2.0 -->\n");
  std::printf("# System calls of the guest kernel\n\n");
  std::printf("Printed from guest/kernel/syscalls/table.h by runhl_print_syscalls; do not edit.\n");
  std::printf(
      "A call without a row answers ENOSYS and is counted (`runhl events --stats`); EPERM, as\n");
  std::printf(
      "on Linux, where it wants a capability that the caller lacks (syscalls/privileged.h).\n\n");
  std::printf("%zu calls, %d of them full.\n\n", std::size(kRows), full);
  std::printf("| nr | call | support | what is missing |\n|---:|---|---|---|\n");
  for (const Row& row : kRows) {
    std::printf("| %d | %s | %s | %s |\n", row.number, row.name,
                row.support == "Full"      ? "full"
                : row.support == "Partial" ? "partial"
                                           : "absent",
                row.missing);
  }
  return 0;
}
