// SPDX-License-Identifier: Apache-2.0
// give_back private|shared|file|files MIB: fills that much memory, says "full", frees it at the
// next line of its input, says "free", and ends with the input. Files lie in /dev/shm.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static char block[16384];

static int write_file(const char* name, size_t size) {
  const int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (fd < 0)
    return -1;
  for (size_t at = 0; at < size; at += sizeof block) {
    if (write(fd, block, sizeof block) != (ssize_t)sizeof block)
      return -1;
  }
  return close(fd);
}

static int files(size_t count, int make) {
  for (size_t i = 0; i < count; ++i) {
    char name[64];
    snprintf(name, sizeof name, "/dev/shm/small-%zu", i);
    if (make ? write_file(name, sizeof block) : unlink(name))
      return -1;
  }
  return 0;
}

int main(int argc, char** argv) {
  char line[16];
  if (argc != 3)
    return 2;
  const char* const kind = argv[1];
  const size_t size = (size_t)atol(argv[2]) << 20;
  char* memory = NULL;
  memset(block, 'x', sizeof block);
  if (!strcmp(kind, "private") || !strcmp(kind, "shared")) {
    const int flags = *kind == 'p' ? MAP_PRIVATE : MAP_SHARED;
    memory = mmap(NULL, size, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
      return 1;
    for (size_t at = 0; at < size; at += 4096)
      memory[at] = 1;
  } else if (!strcmp(kind, "file") ? write_file("/dev/shm/large", size)
                                   : files(size / sizeof block, 1)) {
    return 1;
  }
  puts("full");
  fflush(stdout);
  if (!fgets(line, sizeof line, stdin))
    return 1;
  if (memory)
    munmap(memory, size);
  else if (!strcmp(kind, "file") ? unlink("/dev/shm/large") : files(size / sizeof block, 0))
    return 1;
  puts("free");
  fflush(stdout);
  return !fgets(line, sizeof line, stdin);
}
