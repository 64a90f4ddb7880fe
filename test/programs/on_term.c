// SPDX-License-Identifier: Apache-2.0
// on_term handle|ignore|default: says ready, then waits for SIGTERM. A handler exits with 7.
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void on_term(int signal_number) {
  (void)signal_number;
  _exit(7);
}

int main(int argc, char** argv) {
  const char* how = argc > 1 ? argv[1] : "handle";
  if (!strcmp(how, "handle")) {
    signal(SIGTERM, on_term);
  } else if (!strcmp(how, "ignore")) {
    signal(SIGTERM, SIG_IGN);
  }
  if (write(1, "ready\n", 6) != 6)
    return 1;
  for (;;)
    pause();
}
