// SPDX-License-Identifier: Apache-2.0
// map_file FILE: maps it in three ways and says what came of each: the first word, or the errno.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

static void map(const char* what, int fd, int protection, int flags) {
  const char* const text = mmap(NULL, 4096, protection, flags, fd, 0);
  char word[16] = "";
  if (text == MAP_FAILED) {
    printf("%s errno %d\n", what, errno);
    return;
  }
  sscanf(text, "%15s", word);
  printf("%s %s\n", what, word);
}

int main(int argc, char** argv) {
  const int fd = argc == 2 ? open(argv[1], O_RDWR | O_CLOEXEC) : -1;
  if (fd < 0) {
    perror("open");
    return 2;
  }
  map("private", fd, PROT_READ | PROT_WRITE, MAP_PRIVATE);
  map("shared writable", fd, PROT_READ | PROT_WRITE, MAP_SHARED);
  close(fd);
  const int reading = open(argv[1], O_RDONLY | O_CLOEXEC);
  map("shared", reading, PROT_READ, MAP_SHARED);
  return 0;
}
