// SPDX-License-Identifier: Apache-2.0
// auxv: checks what the kernel hands to a program beside its arguments.
#include <elf.h>
#include <link.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <time.h>
#include <unistd.h>

static int failures;
static void expect(int holds, const char* what) {
  if (!holds) {
    printf("wrong: %s\n", what);
    ++failures;
  }
}

int main(int argc, char** argv) {
  (void)argc;
  expect(getauxval(AT_PAGESZ) == 4096, "AT_PAGESZ");
  expect(getauxval(AT_PHDR) != 0 && getauxval(AT_PHENT) == sizeof(ElfW(Phdr)), "AT_PHDR");
  expect(getauxval(AT_ENTRY) != 0, "AT_ENTRY");
  expect(getauxval(AT_UID) == getuid() && getauxval(AT_EGID) == getegid(), "AT_UID");
  expect(getauxval(AT_SECURE) == 0, "AT_SECURE");
  expect(getauxval(AT_CLKTCK) == 100, "AT_CLKTCK");
  expect(getauxval(AT_RANDOM) != 0, "AT_RANDOM");
  const char* name = (const char*)getauxval(AT_EXECFN);
  expect(name && !strcmp(name, argv[0]), "AT_EXECFN");
  const uint8_t* random = (const uint8_t*)getauxval(AT_RANDOM);
  if (random) {
    for (int i = 0; i < 16; ++i)
      printf("%02x", random[i]);
    printf("\n");
  }
  struct timespec a, b;
  clock_gettime(CLOCK_MONOTONIC, &a);
  clock_gettime(CLOCK_MONOTONIC, &b);
  expect(b.tv_sec > a.tv_sec || (b.tv_sec == a.tv_sec && b.tv_nsec >= a.tv_nsec), "time goes on");
  expect(time(NULL) > 1700000000, "wall time");
  expect((uintptr_t)&a % 8 == 0, "stack alignment");
  return failures != 0;
}
