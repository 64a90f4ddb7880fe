// SPDX-License-Identifier: Apache-2.0
// Operations on files, each a pair of words on the command line (VERB PATH[=VALUE]); one line each:
// what came of it, or the error's name.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int compare(const void* a, const void* b) {
  return strcmp(*(char* const*)a, *(char* const*)b);
}

static int list(const char* path) {
  char* names[64];
  int count = 0;
  DIR* directory = opendir(path);
  if (directory == NULL) {
    return -1;
  }
  for (struct dirent* entry = readdir(directory); entry != NULL; entry = readdir(directory)) {
    if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 && count < 64) {
      names[count++] = strdup(entry->d_name);
    }
  }
  closedir(directory);
  qsort(names, (size_t)count, sizeof names[0], compare);
  for (int i = 0; i < count; ++i) {
    printf(" %s", names[i]);
  }
  return 0;
}

static int read_file(const char* path) {
  char text[2000];
  const int fd = open(path, O_RDONLY);
  const ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof text);
  if (got < 0) {
    return -1;
  }
  printf(" %.*s", (int)got, text);
  return close(fd);
}

static int write_file(const char* path, const char* value, int flags) {
  const int fd = open(path, O_WRONLY | O_CREAT | flags, 0644);
  if (fd < 0 || write(fd, value, strlen(value)) < 0) {
    return -1;
  }
  return close(fd);
}

static int show(const char* path) {
  struct stat info;
  if (stat(path, &info) != 0) {
    return -1;
  }
  printf(" %s %ld %o", S_ISDIR(info.st_mode) ? "directory" : "file",
         S_ISDIR(info.st_mode) ? 0 : (long)info.st_size, info.st_mode & 0777);
  return 0;
}

static int perform(const char* verb, const char* path, const char* value) {
  if (strcmp(verb, "list") == 0) {
    return list(path);
  }
  if (strcmp(verb, "read") == 0) {
    return read_file(path);
  }
  if (strcmp(verb, "write") == 0) {
    return write_file(path, value, O_TRUNC);
  }
  if (strcmp(verb, "append") == 0) {
    return write_file(path, value, O_APPEND);
  }
  if (strcmp(verb, "stat") == 0) {
    return show(path);
  }
  if (strcmp(verb, "mkdir") == 0) {
    return mkdir(path, 0755);
  }
  if (strcmp(verb, "remove") == 0) {
    return remove(path);
  }
  if (strcmp(verb, "rename") == 0) {
    return rename(path, value);
  }
  if (strcmp(verb, "link") == 0) {
    return link(path, value);
  }
  if (strcmp(verb, "symlink") == 0) {
    return symlink(value, path);
  }
  if (strcmp(verb, "truncate") == 0) {
    return truncate(path, atol(value));
  }
  if (strcmp(verb, "chmod") == 0) {
    return chmod(path, (mode_t)strtol(value, NULL, 8));
  }
  errno = ENOSYS;
  return -1;
}

int main(int argc, char** argv) {
  for (int i = 1; i + 1 < argc; i += 2) {
    char* path = argv[i + 1];
    char* value = strchr(path, '=');
    if (value != NULL) {
      *value++ = '\0';
    }
    printf("%s:", argv[i]);
    if (perform(argv[i], path, value == NULL ? "" : value) != 0) {
      printf(" %s", strerrorname_np(errno));
    }
    printf("\n");
  }
  return 0;
}
