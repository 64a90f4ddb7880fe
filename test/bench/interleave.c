// SPDX-License-Identifier: Apache-2.0
// interleave ROUNDS [--skip N] :: NAME COMMAND… [+ COMMAND…] :: NAME …
//
// Runs the named command chains in turn, A B C A B C …, so that what else the machine does falls on
// all alike. Whole-process time of a chain: before the first spawn to the reaped end of the last.
// Prints a line for each: name, median, 10th and 90th percentile, in microseconds, and failures;
// then the medians of what its processes cost, those they reaped included: CPU time in
// microseconds, page faults, context switches. The commands' stdin and stdout are /dev/null.
#define _GNU_SOURCE
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { kMaxChains = 16 };

enum { kWall, kCpu, kFaults, kSwitches, kFigures };

struct Chain {
  const char* name;
  char** words;  // commands separated by "+", ended by NULL
  double* figures[kFigures];
  int count;
  int failures;
};

static double now_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static double micros(struct timeval t) {
  return (double)t.tv_sec * 1e6 + (double)t.tv_usec;
}

// Of all children reaped so far; the wall clock's place is filled as well.
static void read_figures(double* figures) {
  struct rusage used;
  getrusage(RUSAGE_CHILDREN, &used);
  figures[kWall] = now_us();
  figures[kCpu] = micros(used.ru_utime) + micros(used.ru_stime);
  figures[kFaults] = (double)(used.ru_minflt + used.ru_majflt);
  figures[kSwitches] = (double)(used.ru_nvcsw + used.ru_nivcsw);
}

static int compare(const void* a, const void* b) {
  const double x = *(const double*)a;
  const double y = *(const double*)b;
  return (x > y) - (x < y);
}

static int run_one(char** argv, posix_spawn_file_actions_t* actions) {
  extern char** environ;
  pid_t pid = 0;
  int status = 0;
  if (posix_spawnp(&pid, argv[0], actions, NULL, argv, environ))
    return 127;
  while (waitpid(pid, &status, 0) != pid) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void run_chain(struct Chain* chain, posix_spawn_file_actions_t* actions, int keep) {
  char* argv[64];
  int failed = 0;
  double before[kFigures];
  double after[kFigures];
  read_figures(before);
  for (char** word = chain->words; *word;) {
    int n = 0;
    while (*word && strcmp(*word, "+") && n < 63)
      argv[n++] = *word++;
    argv[n] = NULL;
    if (*word)
      ++word;
    failed |= run_one(argv, actions);
  }
  const double ended = now_us();
  while (waitpid(-1, NULL, WNOHANG) > 0) {  // orphans of the chain
  }
  read_figures(after);
  after[kWall] = ended;
  for (int i = 0; keep && i < kFigures; ++i)
    chain->figures[i][chain->count] = after[i] - before[i];
  chain->count += keep;
  chain->failures += failed != 0;
}

int main(int argc, char** argv) {
  struct Chain chains[kMaxChains];
  posix_spawn_file_actions_t actions;
  int n = 0;
  int skip = 2;
  if (argc < 4)
    return 2;
  const int rounds = atoi(argv[1]);
  int at = 2;
  if (!strcmp(argv[at], "--skip")) {
    skip = atoi(argv[at + 1]);
    at += 2;
  }
  while (at < argc && n < kMaxChains) {
    if (strcmp(argv[at], "::"))
      return 2;
    argv[at] = NULL;
    chains[n] = (struct Chain){.name = argv[at + 1], .words = argv + at + 2};
    for (int i = 0; i < kFigures; ++i)
      chains[n].figures[i] = calloc((size_t)rounds, sizeof(double));
    ++n;
    at += 2;
    while (at < argc && strcmp(argv[at], "::"))
      ++at;
  }
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  for (int round = -skip; round < rounds; ++round) {
    for (int i = 0; i < n; ++i)
      run_chain(&chains[i], &actions, round >= 0);
  }
  for (int i = 0; i < n; ++i) {
    struct Chain* chain = &chains[i];
    for (int f = 0; f < kFigures; ++f)
      qsort(chain->figures[f], (size_t)chain->count, sizeof(double), compare);
    const double* us = chain->figures[kWall];
    const int middle = chain->count / 2;
    printf("%s %.1f %.1f %.1f %d %.0f %.0f %.0f\n", chain->name, us[middle], us[chain->count / 10],
           us[chain->count * 9 / 10], chain->failures, chain->figures[kCpu][middle],
           chain->figures[kFaults][middle], chain->figures[kSwitches][middle]);
  }
  return 0;
}
