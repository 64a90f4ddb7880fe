// SPDX-License-Identifier: Apache-2.0
// touch_pages MIB: writes one word into every page of that much anonymous memory, says how many.
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

int main(int argc, char** argv) {
  size_t size = (size_t)(argc > 1 ? atol(argv[1]) : 1) << 20;
  char* memory = mmap(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED)
    return 1;
  for (size_t at = 0; at < size; at += 4096)
    *(volatile unsigned*)(memory + at) = (unsigned)at + 1;
  for (size_t at = 0; at < size; at += 4096) {
    if (*(volatile unsigned*)(memory + at) != (unsigned)at + 1)
      return 2;
  }
  printf("%zu pages\n", size / 4096);
  return 0;
}
