// SPDX-License-Identifier: Apache-2.0
// steps "STEP ARG…"…: does the steps in turn, in one process (a shell would fork for most of them).
// A step that the kernel refuses prints "refused", says why on stderr, and the next one follows.
//
//   say TEXT · cat PATH · write PATH TEXT · append PATH TEXT · count PATH [MAX] · fill PATH BYTES
//   rm PATH · rmdir PATH · mkdir PATH · mv FROM TO · ln FROM TO · symlink TEXT PATH · chmod MODE
//   PATH mode PATH · ls PATH · kind PATH · uid · uname · env NAME · line (of stdin) · exit N
//
// PATH - is stdin or stdout.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

static int opened(const char* path, int flags, int standard) {
  return strcmp(path, "-") ? open(path, flags, 0666) : dup(standard);
}

static int put(const char* path, const char* text, int flags) {
  const int fd = opened(path, O_WRONLY | O_CREAT | flags, 1);
  if (fd < 0)
    return -1;
  const size_t size = strlen(text);
  const int good = write(fd, text, size) == (ssize_t)size && write(fd, "\n", 1) == 1;
  const int saved = errno;
  close(fd);
  errno = saved;
  return good ? 0 : -1;
}

static int take(const char* path, long most, int print) {
  static char buffer[65536];
  long total = 0;
  ssize_t n = 0;
  const int fd = opened(path, O_RDONLY, 0);
  if (fd < 0)
    return -1;
  while (total < most) {
    const size_t want = most - total < (long)sizeof buffer ? (size_t)(most - total) : sizeof buffer;
    n = read(fd, buffer, want);
    if (n <= 0)
      break;
    total += n;
    if (print)
      fwrite(buffer, 1, (size_t)n, stdout);
  }
  close(fd);
  if (n >= 0 && !print)
    printf("%ld\n", total);
  return n < 0 ? -1 : 0;
}

static int fill(const char* path, long left) {
  static char zeros[4096];
  const int fd = opened(path, O_WRONLY | O_CREAT, 1);
  if (fd < 0)
    return -1;
  ssize_t n = 0;
  while (left > 0 && (n = write(fd, zeros, sizeof zeros)) > 0)
    left -= n;
  const int saved = errno;
  close(fd);
  errno = saved;
  return left > 0 ? -1 : 0;
}

static int by_name(const void* a, const void* b) {
  return strcmp(*(char* const*)a, *(char* const*)b);
}

static int ls(const char* path) {
  char* names[512];
  size_t n = 0;
  DIR* directory = opendir(path);
  if (!directory)
    return -1;
  for (struct dirent* entry; n < 512 && (entry = readdir(directory));) {
    if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
      names[n++] = strdup(entry->d_name);
  }
  closedir(directory);
  qsort(names, n, sizeof *names, by_name);
  for (size_t i = 0; i < n; ++i)
    puts(names[i]);
  return 0;
}

static int facts(const char* path, int kind) {
  struct stat s;
  if (stat(path, &s))
    return -1;
  if (kind) {
    puts(S_ISCHR(s.st_mode)   ? "device"
         : S_ISDIR(s.st_mode) ? "directory"
         : S_ISREG(s.st_mode) ? "file"
                              : "other");
  } else {
    printf("%o %d %d\n", (unsigned)s.st_mode & 07777, (int)s.st_uid, (int)s.st_gid);
  }
  return 0;
}

static int line(void) {
  char c = 0;
  while (read(0, &c, 1) == 1) {
    putchar(c);
    if (c == '\n')
      return 0;
  }
  return -1;
}

static int step(const char* name, const char* a, const char* b) {
  if (!strcmp(name, "say"))
    return printf("%s%s%s\n", a, *b ? " " : "", b) < 0;
  if (!strcmp(name, "cat"))
    return take(a, 1L << 40, 1);
  if (!strcmp(name, "count"))
    return take(a, *b ? atol(b) : 1L << 40, 0);
  if (!strcmp(name, "write"))
    return put(a, b, O_TRUNC);
  if (!strcmp(name, "append"))
    return put(a, b, O_APPEND);
  if (!strcmp(name, "fill"))
    return fill(a, atol(b));
  if (!strcmp(name, "rm"))
    return unlink(a);
  if (!strcmp(name, "rmdir"))
    return rmdir(a);
  if (!strcmp(name, "mkdir"))
    return mkdir(a, 0777);
  if (!strcmp(name, "mv"))
    return rename(a, b);
  if (!strcmp(name, "ln"))
    return link(a, b);
  if (!strcmp(name, "symlink"))
    return symlink(a, b);
  if (!strcmp(name, "chmod"))
    return chmod(b, (mode_t)strtoul(a, NULL, 8));
  if (!strcmp(name, "mode"))
    return facts(a, 0);
  if (!strcmp(name, "kind"))
    return facts(a, 1);
  if (!strcmp(name, "ls"))
    return ls(a);
  if (!strcmp(name, "uid"))
    return printf("%d\n", (int)getuid()) < 0;
  if (!strcmp(name, "env"))
    return puts(getenv(a) ? getenv(a) : "(unset)") < 0;
  if (!strcmp(name, "line"))
    return line();
  if (!strcmp(name, "exit")) {
    fflush(stdout);
    _exit(atoi(a));
  }
  if (!strcmp(name, "uname")) {
    struct utsname u;
    uname(&u);
    return printf("%s %s %s %s\n", u.sysname, u.nodename, u.release, u.version) < 0;
  }
  fprintf(stderr, "steps: no step %s\n", name);
  exit(98);
}

int main(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    char* rest = strdup(argv[i]);
    char* words[3] = {strsep(&rest, " "), NULL, NULL};
    words[1] = rest ? strsep(&rest, " ") : "";
    words[2] = rest ? rest : "";
    errno = 0;
    if (step(words[0], words[1], words[2])) {
      printf("refused\n");
      fprintf(stderr, "%s: %s\n", argv[i], strerror(errno));
    }
    fflush(stdout);
  }
  return 0;
}
