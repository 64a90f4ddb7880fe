// SPDX-License-Identifier: Apache-2.0
// What compiler and headers expect a run-time library to have. None of it should ever be called.
#include <new>

#include "core/panic.h"

namespace std {
const nothrow_t nothrow{};
}  // namespace std

extern "C" {

[[noreturn]] void __assert_fail(const char* expression, const char*, unsigned, const char*) {
  runhl::kernel::panic(expression);
}

[[noreturn]] void __cxa_pure_virtual() {
  runhl::kernel::panic("pure virtual function called");
}

}  // extern "C"
