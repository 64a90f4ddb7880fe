// SPDX-License-Identifier: Apache-2.0
// idle: waits for ever, like a pod's pause program.
#include <unistd.h>

int main(void) {
  for (;;)
    pause();
}
