// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "commands.h"

namespace {

/// A descriptor opened later must not take a closed stream's number: it would become the
/// container's. O_PATH reads and writes as a closed one does, with EBADF.
void fill_closed_streams() {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
    if (::fcntl(fd, F_GETFD) < 0 && ::open("/dev/null", O_PATH) != fd) {
      ::_exit(1);
    }
  }
}

/// All output was written as it came, so what exit() does beside ending is to take memory apart, a
/// page fault here and there. Debug builds want it: leaks are told by then.
int ended_with(int code) {
#ifdef NDEBUG
  ::_exit(code);
#endif
  return code;
}

}  // namespace

int main(int argc, char** argv) {
  fill_closed_streams();
  (void)std::signal(SIGCHLD, SIG_DFL);  // a caller that ignores it would reap our children
  try {
    const std::vector<std::string> args(argv + (argc > 0 ? 1 : 0), argv + argc);
    return ended_with(runhl::run_command_line(args));
  } catch (const std::exception& error) {  // the last resort: nothing of ours throws
    (void)std::fprintf(stderr, "runhl: bug: %s\n", error.what());
    return 1;
  }
}
