// SPDX-License-Identifier: Apache-2.0
// exit_code N: exits with N, without libc's exit handlers in between.
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char** argv) {
  _exit(argc > 1 ? atoi(argv[1]) : 0);
}
