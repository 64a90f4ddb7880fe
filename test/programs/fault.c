// SPDX-License-Identifier: Apache-2.0
// fault KIND: dies of a real fault, or of abort.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char** argv) {
  const char* kind = argc > 1 ? argv[1] : "";
  if (!strcmp(kind, "segv")) {
    volatile int* nowhere = (volatile int*)8;
    *nowhere = 1;
  } else if (!strcmp(kind, "ill")) {
    __asm__ volatile("ud2");
  } else if (!strcmp(kind, "fpe")) {
    __asm__ volatile("xorl %%ecx, %%ecx; movl $1, %%eax; cltd; idivl %%ecx"
                     :
                     :
                     : "eax", "ecx", "edx");
  } else if (!strcmp(kind, "noncanonical")) {
    __asm__ volatile("movq %0, %%rax; movb $1, (%%rax)"
                     :
                     : "r"(0x8000000000000000UL)
                     : "rax", "memory");
  } else if (!strcmp(kind, "hlt")) {
    __asm__ volatile("hlt");
  } else if (!strcmp(kind, "nx")) {
    static char data[64] = {(char)0xc3};
    void (*function)(void);
    void* at = data;
    memcpy(&function, &at, sizeof at);
    function();
  } else if (!strcmp(kind, "rodata")) {
    char* text = (char*)(unsigned long)"constant";
    *(volatile char*)text = 'C';
  } else if (!strcmp(kind, "abort")) {
    abort();
  }
  fprintf(stderr, "fault %s: still alive\n", kind);
  return 99;
}
