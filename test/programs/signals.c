// SPDX-License-Identifier: Apache-2.0
// signals: says ready, then the number of every SIGUSR1 and SIGHUP it gets; SIGTERM says stopping
// and exits with 5.
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static void on_signal(int number) {
  char text[32];
  if (number == SIGTERM) {
    (void)!write(1, "stopping\n", 9);
    _exit(5);
  }
  const int n = snprintf(text, sizeof text, "got %d\n", number);
  (void)!write(1, text, (size_t)n);
}

int main(void) {
  signal(SIGUSR1, on_signal);
  signal(SIGHUP, on_signal);
  signal(SIGTERM, on_signal);
  (void)!write(1, "ready\n", 6);
  for (;;)
    pause();
}
