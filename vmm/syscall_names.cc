// SPDX-License-Identifier: Apache-2.0
#include "runhl/vmm/syscall_names.h"

namespace runhl::vmm {
namespace {

struct Name {
  unsigned number;
  const char* name;
};
// Made by CMakeLists.txt out of <asm/unistd_64.h>: Name{0, "read"}, …
constexpr Name kNames[] = {
#include "syscall_names.inc"
};

}  // namespace

std::string syscall_name(unsigned number) {
  for (const Name& entry : kNames) {
    if (entry.number == number) {
      return entry.name;
    }
  }
  return std::to_string(number);
}

}  // namespace runhl::vmm
