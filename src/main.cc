// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "commands.h"

int main(int argc, char** argv) {
  try {
    const std::vector<std::string> args(argv + (argc > 0 ? 1 : 0), argv + argc);
    return runhl::run_command_line(args);
  } catch (const std::exception& error) {  // the last resort: nothing of ours throws
    (void)std::fprintf(stderr, "runhl: bug: %s\n", error.what());
    return 1;
  }
}
