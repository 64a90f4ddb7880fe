// SPDX-License-Identifier: Apache-2.0
// read_again FILE: reads a file over and over, in pieces of every size, while it is written, cut
// and grown by others, and checks every byte. What was read often enough may come another way than
// the first bytes did; a program must not see which.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { kSize = 9 * 1024 * 1024 + 123, kPage = 4096 };

static unsigned char expected[kSize + kPage], got[kSize + kPage];

static void check(int true_or_not, const char* what) {
  if (!true_or_not) {
    fprintf(stderr, "read_again: %s (errno %d)\n", what, errno);
    exit(1);
  }
}

static void write_all(int fd, long from, long size) {
  check(pwrite(fd, expected + from, (size_t)size, from) == size, "pwrite");
}

/// The whole file from its beginning, and its end.
static void read_all(int fd, long size, size_t piece) {
  long at = 0;
  ssize_t part;
  check(lseek(fd, 0, SEEK_SET) == 0, "lseek");
  while ((part = read(fd, got + at, piece)) > 0)
    at += part;
  check(part == 0 && at == size, "size");
  check(memcmp(got, expected, (size_t)size) == 0, "contents");
}

static void read_here_and_there(int fd, long size) {
  unsigned seed = 1;
  for (int i = 0; i < 500; ++i) {
    seed = seed * 1103515245 + 12345;
    const long at = seed % (unsigned)(size + kPage);
    const long wanted = seed / 7 % 20000;
    const long there = at >= size ? 0 : at + wanted > size ? size - at : wanted;
    check(pread(fd, got, (size_t)wanted, at) == there, "size of a piece");
    check(memcmp(got, expected + at, (size_t)there) == 0, "a piece");
  }
}

int main(int argc, char** argv) {
  if (argc < 2)
    return 2;
  for (long i = 0; i < kSize; ++i)
    expected[i] = (unsigned char)(i * 7 + i / kPage);
  const int writer = open(argv[1], O_RDWR | O_CREAT | O_TRUNC, 0600);
  const int fd = open(argv[1], O_RDONLY);
  check(writer >= 0 && fd >= 0, "open");
  write_all(writer, 0, kSize);
  read_all(fd, kSize, 65536);
  read_all(fd, kSize, 4096);
  read_all(fd, kSize, 5000);
  read_all(fd, kSize, sizeof got);
  read_here_and_there(fd, kSize);

  // Written by another descriptor, and by a child.
  memset(expected + 70000, 'w', 9000);
  write_all(writer, 70000, 9000);
  read_all(fd, kSize, 30000);
  const pid_t child = fork();
  if (child == 0) {
    read_here_and_there(fd, kSize);
    memset(expected + 3 * kPage + 5, 'c', 10);
    write_all(writer, 3 * kPage + 5, 10);
    read_here_and_there(fd, kSize);
    _exit(0);
  }
  int status = 1;
  check(waitpid(child, &status, 0) == child && status == 0, "child");
  memset(expected + 3 * kPage + 5, 'c', 10);
  read_here_and_there(fd, kSize);

  // Cut in the middle of a page, grown again with nothing, then with bytes.
  check(ftruncate(writer, 200 * kPage + 77) == 0, "ftruncate");
  read_all(fd, 200 * kPage + 77, 4096);
  read_here_and_there(fd, 200 * kPage + 77);
  check(ftruncate(writer, kSize) == 0, "ftruncate");
  memset(expected + 200 * kPage + 77, 0, kSize - 200 * kPage - 77);
  read_all(fd, kSize, 8192);
  memset(expected + 300 * kPage, 'n', 12345);
  write_all(writer, 300 * kPage, 12345);
  read_here_and_there(fd, kSize);

  // Into memory that is not all there.
  unsigned char* const memory =
      mmap(0, 2 * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  check(memory != MAP_FAILED && munmap(memory + kPage, kPage) == 0, "mmap");
  check(pread(fd, memory, 2 * kPage, 50 * kPage) == kPage, "a piece before a hole");
  check(memcmp(memory, expected + 50 * kPage, kPage) == 0, "its bytes");
  check(pread(fd, memory + kPage, kPage, 50 * kPage) == -1 && errno == EFAULT, "EFAULT");

  // Without a name, by a descriptor of another position.
  check(unlink(argv[1]) == 0, "unlink");
  const int other = dup(fd);
  check(lseek(other, 5 * kPage, SEEK_SET) == 5 * kPage && read(fd, got, kPage) == kPage, "dup");
  check(memcmp(got, expected + 5 * kPage, kPage) == 0, "bytes behind dup");
  read_all(other, kSize, 16384);
  return 0;
}
