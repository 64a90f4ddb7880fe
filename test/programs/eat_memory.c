// SPDX-License-Identifier: Apache-2.0
// eat_memory KIND MIB: takes about so much memory, says "all of it" or what it was refused with.
//
//   populate         private memory, within mmap
//   shared           a mapping that processes share
//   memfd, mapped    a file in memory, written or mapped
//   pipes, sockets   bytes that nobody reads
//   processes        in children of 1 MiB each
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { kPart = 65536, kMiB = 1 << 20 };
static char part[kPart];

static int refused(const char* what) {
  printf("%s: %s\n", what, strerror(errno));
  return 1;
}

static int touch(char* memory, size_t size) {
  if (memory == MAP_FAILED)
    return refused("mmap");
  for (size_t at = 0; at < size; at += 4096)
    *(volatile char*)(memory + at) = 1;
  return 0;
}

static int map(size_t size, int flags, int fd) {
  return touch(mmap(0, size, PROT_READ | PROT_WRITE, flags, fd, 0), size);
}

static int fill(int fd, size_t* left) {
  ssize_t written = 0;
  while (*left >= kPart && (written = write(fd, part, kPart)) > 0)
    *left -= (size_t)written;
  return written < 0 && errno != EAGAIN ? refused("write") : 0;
}

static int fill_pairs(size_t left, int sockets) {
  while (left >= kPart) {
    int ends[2];
    if ((sockets ? socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends)
                 : pipe2(ends, O_NONBLOCK)) != 0)
      return refused("pair");
    if (fill(ends[1], &left) != 0)
      return 1;
  }
  return 0;
}

static int in_processes(size_t size) {
  int made = 0;
  int status = 0;
  for (size_t at = 0; at < size; at += kMiB) {
    const pid_t child = fork();
    if (child < 0)
      break;  // no memory for one more, perhaps
    if (child == 0) {
      (void)map(kMiB, MAP_PRIVATE | MAP_ANONYMOUS, -1);
      pause();
      _exit(0);
    }
    ++made;
  }
  signal(SIGTERM, SIG_IGN);
  kill(0, SIGTERM);
  while (wait(&status) > 0)
    --made;
  return made;
}

int main(int argc, char** argv) {
  const char* kind = argc > 1 ? argv[1] : "";
  const size_t size = (size_t)(argc > 2 ? atol(argv[2]) : 1) * kMiB;
  size_t left = size;
  int result = 2;
  memset(part, 1, sizeof part);
  if (strcmp(kind, "populate") == 0) {
    result = map(size, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1);
  } else if (strcmp(kind, "shared") == 0) {
    result = map(size, MAP_SHARED | MAP_ANONYMOUS, -1);
  } else if (strcmp(kind, "memfd") == 0) {
    result = fill(memfd_create("eaten", 0), &left);
  } else if (strcmp(kind, "mapped") == 0) {
    const int fd = memfd_create("eaten", 0);
    result = ftruncate(fd, (off_t)size) != 0 ? 2 : map(size, MAP_SHARED, fd);
  } else if (strcmp(kind, "pipes") == 0) {
    result = fill_pairs(size, 0);
  } else if (strcmp(kind, "sockets") == 0) {
    result = fill_pairs(size, 1);
  } else if (strcmp(kind, "processes") == 0) {
    result = in_processes(size);
  }
  if (result == 0)
    puts("all of it");
  return result;
}
