// SPDX-License-Identifier: Apache-2.0
// What x86-64 Linux calls its system calls.
#pragma once

#include <string>

namespace runhl::vmm {

/// "mmap"; the number itself where it has no name.
std::string syscall_name(unsigned number);

}  // namespace runhl::vmm
