// SPDX-License-Identifier: Apache-2.0
// alarm_storm PID MILLISECONDS: SIGALRM to a process every 1 to 8 microseconds, for so long. Exits
// with 1 when the process ends before that. Runs on the host, against a cell.
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static int64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int main(int argc, char** argv) {
  if (argc != 3)
    return 2;
  const pid_t target = (pid_t)atoi(argv[1]);
  const int64_t end = now_ns() + atoll(argv[2]) * 1000000;
  uint64_t seed = 1;
  long sent = 0;
  int64_t next = now_ns();
  while (now_ns() < end) {
    seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
    // Bursts as fast as they go, between them up to 8 microseconds apart.
    if (sent / 64 % 2 == 0) {
      next += 1000 + (int64_t)((seed >> 33) % 7000);
      while (now_ns() < next)
        ;
    }
    if (kill(target, SIGALRM) != 0) {
      printf("gone after %ld signals: errno %d\n", sent, errno);
      return 1;
    }
    ++sent;
  }
  printf("%ld signals\n", sent);
  return 0;
}
