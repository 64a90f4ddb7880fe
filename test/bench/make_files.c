// SPDX-License-Identifier: Apache-2.0
// make_files DIR COUNT BYTES: COUNT files of BYTES (allocated, not written) in directories of 250.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

int main(int argc, char** argv) {
  char path[4200];
  if (argc < 4)
    return 2;
  const long count = atol(argv[2]);
  for (long i = 0; i < count; ++i) {
    snprintf(path, sizeof path, "%s/%ld", argv[1], i / 250);
    if (i % 250 == 0 && mkdir(path, 0755))
      return 1;
    snprintf(path, sizeof path, "%s/%ld/%ld", argv[1], i / 250, i);
    const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0 || posix_fallocate(fd, 0, atol(argv[3])))
      return 1;
    close(fd);
  }
  return 0;
}
