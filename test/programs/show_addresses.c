// SPDX-License-Identifier: Apache-2.0
// show_addresses: where stack and mappings lie.
#include <stdio.h>
#include <sys/mman.h>

int main(void) {
  int here = 0;
  printf("stack %p\n", (void*)&here);
  printf("mmap %p\n", mmap(0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  return 0;
}
