// SPDX-License-Identifier: Apache-2.0
// interleave ROUNDS [--skip N] :: NAME COMMAND… [+ COMMAND…] :: NAME …
//
// Runs the named command chains in turn, A B C A B C …, so that what else the machine does falls on
// all alike. Whole-process time of a chain: before the first spawn to the reaped end of the last.
// Prints a line for each: name, median, 10th and 90th percentile, in microseconds, and failures.
// The commands' stdin and stdout are /dev/null.
#define _GNU_SOURCE
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { kMaxChains = 16 };

struct Chain {
  const char* name;
  char** words;  // commands separated by "+", ended by NULL
  double* us;
  int count;
  int failures;
};

static double now_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
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
  const double began = now_us();
  for (char** word = chain->words; *word;) {
    int n = 0;
    while (*word && strcmp(*word, "+") && n < 63)
      argv[n++] = *word++;
    argv[n] = NULL;
    if (*word)
      ++word;
    failed |= run_one(argv, actions);
  }
  const double took = now_us() - began;
  if (keep)
    chain->us[chain->count++] = took;
  chain->failures += failed != 0;
  while (waitpid(-1, NULL, WNOHANG) > 0) {  // orphans of the chain
  }
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
    chains[n].us = calloc((size_t)rounds, sizeof(double));
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
    qsort(chain->us, (size_t)chain->count, sizeof(double), compare);
    printf("%s %.1f %.1f %.1f %d\n", chain->name, chain->us[chain->count / 2],
           chain->us[chain->count / 10], chain->us[chain->count * 9 / 10], chain->failures);
  }
  return 0;
}
