// SPDX-License-Identifier: Apache-2.0
// What compiler and headers expect a run-time library to have. None of it should ever be called.
#include <bits/functexcept.h>

#include <new>

#include "core/panic.h"

// The names are the library's.
// NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming)
namespace std {
const nothrow_t nothrow{};

// Where the library's own bounds checks go.
void __throw_out_of_range_fmt(const char* what, ...) {
  runhl::kernel::panic(what);
}
void __throw_length_error(const char* what) {
  runhl::kernel::panic(what);
}
void __throw_bad_optional_access() {
  runhl::kernel::panic("empty optional read");
}

}  // namespace std

extern "C" {

[[noreturn]] void __assert_fail(const char* expression, const char*, unsigned, const char*) {
  runhl::kernel::panic(expression);
}

[[noreturn]] void __cxa_pure_virtual() {
  runhl::kernel::panic("pure virtual function called");
}

}  // extern "C"
// NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming)
