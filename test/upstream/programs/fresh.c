// SPDX-License-Identifier: Apache-2.0
// What a program finds that ran before, if anything of that run is left: counts in memory and in a
// file, and the program that started it. With an argument: random bytes, which must be others each
// time.
#include <fcntl.h>
#include <stdio.h>
#include <sys/auxv.h>
#include <sys/random.h>
#include <unistd.h>

static int in_memory;

static int count_in_file(void) {
  int count = 0;
  const int fd = open("/tmp/count", O_RDWR | O_CREAT, 0644);
  (void)!pread(fd, &count, sizeof count, 0);
  ++count;
  (void)!pwrite(fd, &count, sizeof count, 0);
  close(fd);
  return count;
}

static void print_random(void) {
  unsigned char bytes[16] = {0};
  const unsigned char* given = (const unsigned char*)getauxval(AT_RANDOM);
  (void)!getrandom(bytes, sizeof bytes, 0);
  for (int i = 0; i < 16; ++i) {
    printf("%02x", bytes[i]);
  }
  printf("\n");
  for (int i = 0; given != NULL && i < 16; ++i) {
    printf("%02x", given[i]);
  }
  printf("\n");
}

int main(int argc, char** argv) {
  (void)argv;
  if (argc > 1) {
    print_random();
    return 0;
  }
  printf("memory %d file %d pid %d descriptor %d starter %s\n", ++in_memory, count_in_file(),
         (int)getpid(), dup(0), access("/.runhl-start", F_OK) == 0 ? "left" : "gone");
  return 0;
}
