// SPDX-License-Identifier: Apache-2.0
// family [ROUNDS]: what processes and threads cost, microseconds, the median, one "name us" a line.
#define _GNU_SOURCE
#include <linux/futex.h>
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char** environ;

enum { kMaxRounds = 10000, kTripsARound = 20 };

static char* self;
static double times[kMaxRounds];

static double now_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int by_size(const void* a, const void* b) {
  const double x = *(const double*)a, y = *(const double*)b;
  return x < y ? -1 : x > y;
}

static void fork_and_wait(void) {
  const pid_t child = fork();
  if (child == 0)
    _exit(0);
  waitpid(child, 0, 0);
}

static void fork_execute_and_wait(void) {
  const pid_t child = fork();
  if (child == 0) {
    execl(self, self, "nothing", (char*)0);
    _exit(1);
  }
  waitpid(child, 0, 0);
}

static void spawn_and_wait(void) {
  char* words[] = {self, "nothing", 0};
  pid_t child;
  if (posix_spawn(&child, self, 0, 0, words, environ) != 0)
    exit(1);
  waitpid(child, 0, 0);
}

static int to_echo[2], from_echo[2];

static void start_echo(void) {
  char byte;
  if (pipe(to_echo) != 0 || pipe(from_echo) != 0)
    exit(1);
  if (fork() == 0) {
    close(to_echo[1]);
    while (read(to_echo[0], &byte, 1) == 1)
      if (write(from_echo[1], &byte, 1) != 1)
        break;
    _exit(0);
  }
}

static void round_trips(void) {
  char byte = 1;
  for (int i = 0; i < kTripsARound; ++i)
    if (write(to_echo[1], &byte, 1) != 1 || read(from_echo[0], &byte, 1) != 1)
      exit(1);
}

// Whose turn it is; the other thread sleeps on it.
static int turn;

static void hand_over(int to) {
  __atomic_store_n(&turn, to, __ATOMIC_RELEASE);
  syscall(SYS_futex, &turn, FUTEX_WAKE_PRIVATE, 1, 0, 0, 0);
  while (__atomic_load_n(&turn, __ATOMIC_ACQUIRE) == to)
    syscall(SYS_futex, &turn, FUTEX_WAIT_PRIVATE, to, 0, 0, 0);
}

static void* answer(void* unused) {
  (void)unused;
  while (__atomic_load_n(&turn, __ATOMIC_ACQUIRE) == 0)
    syscall(SYS_futex, &turn, FUTEX_WAIT_PRIVATE, 0, 0, 0, 0);
  for (;;)
    hand_over(0);
  return 0;
}

static void thread_round_trips(void) {
  for (int i = 0; i < kTripsARound; ++i)
    hand_over(1);
}

static void measure(const char* name, void (*once)(void), int rounds, int in_one) {
  for (int i = 0; i < rounds; ++i) {
    const double began = now_us();
    once();
    times[i] = (now_us() - began) / in_one;
  }
  qsort(times, (size_t)rounds, sizeof times[0], by_size);
  printf("%s %.2f\n", name, times[rounds / 2]);
}

int main(int count, char** words) {
  if (count > 1 && strcmp(words[1], "nothing") == 0)
    return 0;
  int rounds = count > 1 ? atoi(words[1]) : 500;
  if (rounds < 1 || rounds > kMaxRounds)
    return 2;
  self = words[0];
  measure("fork-wait", fork_and_wait, rounds, 1);
  measure("fork-exec-wait", fork_execute_and_wait, rounds, 1);
  measure("spawn-wait", spawn_and_wait, rounds, 1);
  start_echo();
  measure("pipe-round-trip", round_trips, rounds, kTripsARound);
  pthread_t other;
  if (pthread_create(&other, 0, answer, 0) != 0)
    return 1;
  measure("thread-round-trip", thread_round_trips, rounds, kTripsARound);
  return 0;
}
