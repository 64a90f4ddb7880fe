// SPDX-License-Identifier: Apache-2.0
// Says what it was started with; exits 7 if it has arguments.
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char** argv) {
  const char* greeting = getenv("GREETING");
  printf("argc=%d", argc);
  for (int i = 0; i < argc; ++i) {
    printf(" [%s]", argv[i]);
  }
  printf(" PATH=%s GREETING=%s\n", getenv("PATH"), greeting ? greeting : "none");
  fprintf(stderr, "to stderr\n");
  return argc > 1 ? 7 : 0;
}
