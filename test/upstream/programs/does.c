// SPDX-License-Identifier: Apache-2.0
// Does what its first argument says.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static long milliseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int copy(void) {
  char piece[4096];
  ssize_t got;
  while ((got = read(0, piece, sizeof piece)) > 0) {
    if (write(1, piece, (size_t)got) != got) {
      return 1;
    }
  }
  return got == 0 ? 0 : 1;
}

// Several times: each sleep is a call of the host's into the guest.
static int slept(void) {
  const long before = milliseconds();
  for (int i = 0; i < 5; ++i) {
    usleep(100000);
  }
  const long took = milliseconds() - before;
  printf("%s\n", took >= 500 && took < 5000 ? "slept" : "did not sleep");
  return took >= 500 && took < 5000 ? 0 : 1;
}

int main(int argc, char** argv) {
  const char* what = argc > 1 ? argv[1] : "";
  if (strcmp(what, "copy") == 0) {
    return copy();
  }
  if (strcmp(what, "sleep") == 0) {
    return slept();
  }
  if (strcmp(what, "time") == 0) {
    printf("%ld\n", (long)time(NULL));
    return 0;
  }
  if (strcmp(what, "now") == 0) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    printf("%ld%09ld\n", (long)now.tv_sec, now.tv_nsec);
    return 0;
  }
  if (strcmp(what, "segv") == 0) {
    *(volatile int*)8 = 1;
  }
  if (strcmp(what, "ud2") == 0) {
    __asm__ volatile("ud2");
  }
  if (strcmp(what, "abort") == 0) {
    abort();
  }
  if (strcmp(what, "kill") == 0) {
    raise(SIGTERM);
  }
  if (strcmp(what, "300") == 0) {
    exit(300);
  }
  if (strcmp(what, "port") == 0) {
    __asm__ volatile("outl %0, %1" ::"a"(1), "d"((short)0x500));
  }
  if (strcmp(what, "halt") == 0) {
    __asm__ volatile("hlt");
  }
  if (strcmp(what, "wait") == 0) {
    pause();
  }
  while (strcmp(what, "spin") == 0) {
  }
  return 1;
}
