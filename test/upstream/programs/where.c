// SPDX-License-Identifier: Apache-2.0
// Prints its working directory and the machine's name.
#include <stdio.h>
#include <unistd.h>

int main(void) {
  char directory[4096], name[256];
  if (getcwd(directory, sizeof directory) == NULL || gethostname(name, sizeof name) != 0) {
    return 1;
  }
  printf("%s %s\n", directory, name);
  return 0;
}
