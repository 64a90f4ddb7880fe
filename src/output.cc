// SPDX-License-Identifier: Apache-2.0
#include "output.h"

#include <unistd.h>

#include "runhl/base/file_io.h"

namespace runhl {

Result<void> print(std::string_view text) {
  return write_all(STDOUT_FILENO, text, "write to standard output");
}

}  // namespace runhl
