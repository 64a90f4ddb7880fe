// SPDX-License-Identifier: Apache-2.0
// A panic that a test can expect: an exception.
#include <stdexcept>
#include <string>

#include "core/panic.h"

namespace runhl::kernel {

void panic(std::string_view message) {
  throw std::runtime_error(std::string(message));
}

}  // namespace runhl::kernel
