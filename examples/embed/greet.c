// SPDX-License-Identifier: Apache-2.0
// An ordinary program: prints what it was given, and ends with how much that was.
#include <stdio.h>

int main(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    printf("greet: hello, %s\n", argv[i]);
  }
  return argc - 1;
}
