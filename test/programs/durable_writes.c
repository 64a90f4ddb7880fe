// SPDX-License-Identifier: Apache-2.0
// What a killed container must leave behind (test/full/durable_rounds.sh).
//
//   durable_writes write DIR SEED     makes DIR, changes files below it for ever; a line for each
//   durable_writes synced DIR COUNT   so many, each made durable, in turn
//   durable_writes verify DIR LINES   on the host: what those lines promise holds, nothing is torn
//
// Five kinds of change, each with a counter. A line "DIR kind N" (DIR: its last part) is printed
// once change N has returned; change N + 1 may be under way when the end comes, N + 2 never.
// Several writers, each in a directory of its own, may share one output.
//
//   log      appends a record to one file               all N whole; the next at most a part
//   current  writes a new file, renames it over the old  N or N + 1, whole
//   tree     makes a directory with two names of a file, renames it into place, removes the one
//            before the last two                         N and N - 1 are there, whole
//   map      fills a page of a shared mapping            pages up to N whole
//   attr     mode, size and time                         each as N or N + 1 says
//
// Every second change is made durable (fsync, fdatasync, msync) before its line.
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { kMaxRecord = 40000, kPages = 16, kPage = 4096 };
enum kind { kLog, kCurrent, kTree, kMap, kAttr, kKinds };
static const char* const kNames[kKinds] = {"log", "current", "tree", "map", "attr"};

static const char* directory;
static char path_text[4][512];

static const char* label(void) {
  const char* slash = strrchr(directory, '/');
  return slash ? slash + 1 : directory;
}

static const char* path(int slot, const char* name) {
  snprintf(path_text[slot], sizeof(path_text[slot]), "%s/%s", directory, name);
  return path_text[slot];
}

static const char* tree_path(int slot, unsigned number, const char* name) {
  char text[64];
  snprintf(text, sizeof(text), "tree-%u%s", number, name);
  return path(slot, text);
}

static uint32_t mix(uint32_t x) {
  x ^= x >> 16;
  x *= 0x7feb352dU;
  x ^= x >> 15;
  x *= 0x846ca68bU;
  return x ^ (x >> 16);
}

static size_t record_size(enum kind kind, unsigned number) {
  return 16 + mix(number * 31 + (unsigned)kind) % (kMaxRecord - 16);
}

static size_t make_record(enum kind kind, unsigned number, unsigned char* out) {
  const size_t size = record_size(kind, number);
  for (size_t i = 0; i < size; ++i)
    out[i] =
        (unsigned char)(mix(number * 977 + (unsigned)kind + (unsigned)(i >> 2)) >> (8 * (i & 3)));
  return size;
}

static void die(const char* what, unsigned number) {
  fprintf(stderr, "durable_writes: %s %u: %s\n", what, number, strerror(errno));
  exit(1);
}

// ---- the guest's part

static int must(int result, const char* what, unsigned number) {
  if (result < 0)
    die(what, number);
  return result;
}

static void put_record(int fd, enum kind kind, unsigned number) {
  static unsigned char record[kMaxRecord];
  const size_t size = make_record(kind, number, record);
  for (size_t at = 0; at < size;) {
    const ssize_t n = write(fd, record + at, size - at);
    if (n <= 0)
      die(kNames[kind], number);
    at += (size_t)n;
  }
}

static void sync_directory(unsigned number) {
  const int fd = must(open(directory, O_RDONLY | O_DIRECTORY), "open directory", number);
  must(fsync(fd), "fsync directory", number);
  close(fd);
}

static void change_log(unsigned number, int durable) {
  static int fd = -1;
  if (fd < 0)
    fd = must(open(path(0, "log"), O_WRONLY | O_CREAT | O_APPEND, 0644), "open log", number);
  put_record(fd, kLog, number);
  if (durable)
    must(number % 4 ? fsync(fd) : fdatasync(fd), "sync log", number);
}

static void change_current(unsigned number, int durable) {
  const int fd =
      must(open(path(0, "current.new"), O_WRONLY | O_CREAT | O_TRUNC, 0644), "create", number);
  put_record(fd, kCurrent, number);
  if (durable)
    must(fsync(fd), "fsync", number);
  close(fd);
  must(rename(path(0, "current.new"), path(1, "current")), "rename", number);
  if (durable)
    sync_directory(number);
}

static void change_tree(unsigned number, int durable) {
  must(mkdir(path(0, "tree.new"), 0755), "mkdir", number);
  const int fd =
      must(open(path(0, "tree.new/a"), O_WRONLY | O_CREAT | O_EXCL, 0644), "create", number);
  put_record(fd, kTree, number);
  if (durable)
    must(fsync(fd), "fsync", number);
  close(fd);
  must(link(path(0, "tree.new/a"), path(1, "tree.new/b")), "link", number);
  must(rename(path(0, "tree.new"), tree_path(1, number, "")), "rename", number);
  if (number > 2) {
    must(rename(tree_path(0, number - 2, ""), path(1, "tree.old")), "rename away", number);
    must(unlink(path(0, "tree.old/a")), "unlink", number);
    must(unlink(path(0, "tree.old/b")), "unlink", number);
    must(rmdir(path(0, "tree.old")), "rmdir", number);
  }
  if (durable)
    sync_directory(number);
}

static void change_map(unsigned number, int durable) {
  static uint32_t* pages;
  if (!pages) {
    const int fd = must(open(path(0, "map"), O_RDWR | O_CREAT, 0644), "open map", number);
    must(ftruncate(fd, kPages * kPage), "ftruncate", number);
    pages = mmap(0, kPages * kPage, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (pages == MAP_FAILED)
      die("mmap", number);
    close(fd);
  }
  uint32_t* page = pages + number % kPages * (kPage / 4);
  for (unsigned i = 0; i < kPage / 4; ++i)
    page[i] = number;
  if (durable)
    must(msync(page, kPage, MS_SYNC), "msync", number);
}

static mode_t mode_of(unsigned number) {
  return 0600 | (number & 077);
}
static off_t size_of(unsigned number) {
  return mix(number) % 100000;
}

static void change_attr(unsigned number, int durable) {
  static int fd = -1;
  if (fd < 0)
    fd = must(open(path(0, "attr"), O_RDWR | O_CREAT, 0600), "open attr", number);
  const struct timespec times[2] = {{number, 0}, {number, 0}};
  must(fchmod(fd, mode_of(number)), "fchmod", number);
  must(ftruncate(fd, size_of(number)), "ftruncate", number);
  must(futimens(fd, times), "futimens", number);
  if (durable)
    must(fsync(fd), "fsync", number);
}

static void (*const kChanges[kKinds])(unsigned, int) = {change_log, change_current, change_tree,
                                                        change_map, change_attr};

static unsigned counts[kKinds];

static void change(unsigned kind, int always_durable) {
  const unsigned number = ++counts[kind];
  char line[128];
  kChanges[kind](number, always_durable || number % 2 == 0);
  const int length = snprintf(line, sizeof(line), "%s %s %u\n", label(), kNames[kind], number);
  if (write(1, line, (size_t)length) != length)
    exit(1);
}

static void change_for_ever(unsigned seed) {
  for (unsigned turn = 0;; ++turn)
    change(mix(seed + turn * 7919) % kKinds, 0);
}

static void change_synced(unsigned number) {
  for (unsigned turn = 0; turn < number; ++turn)
    change(turn % kKinds, 1);
}

// ---- the host's part

static int failures;

static void complain(enum kind kind, unsigned promised, const char* what, long got) {
  printf("%s: %u are promised, %s %ld\n", kNames[kind], promised, what, got);
  ++failures;
}

// How many bytes; more than a record: too long.
static size_t slurp(const char* name, unsigned char* out, size_t most) {
  const int fd = open(name, O_RDONLY);
  size_t size = 0;
  ssize_t n = 0;
  while (fd >= 0 && size < most && (n = read(fd, out + size, most - size)) > 0)
    size += (size_t)n;
  if (fd >= 0)
    close(fd);
  return size;
}

// Which record the file is whole; 0: none of the two that it may be.
static unsigned whole(enum kind kind, const char* name, unsigned number) {
  static unsigned char got[kMaxRecord + 1], wanted[kMaxRecord];
  const size_t size = slurp(name, got, sizeof(got));
  for (unsigned candidate = number; candidate <= number + 1; ++candidate) {
    if (candidate != 0 && make_record(kind, candidate, wanted) == size &&
        !memcmp(got, wanted, size))
      return candidate;
  }
  return 0;
}

static void verify_log(unsigned promised) {
  static unsigned char got[kMaxRecord], wanted[kMaxRecord];
  const int fd = open(path(0, "log"), O_RDONLY);
  unsigned number = 1;
  for (;; ++number) {
    const size_t size = make_record(kLog, number, wanted);
    const ssize_t n = fd < 0 ? 0 : read(fd, got, size);
    if (n <= 0)
      break;
    if (memcmp(got, wanted, (size_t)n) != 0 || ((size_t)n < size && number <= promised)) {
      complain(kLog, promised, "torn is record", number);
      break;
    }
  }
  if (number - 1 < promised)
    complain(kLog, promised, "there are", number - 1);
  if (number - 1 > promised + 1)
    complain(kLog, promised, "more than can be:", number - 1);
  if (fd >= 0)
    close(fd);
}

static void verify_current(unsigned promised) {
  if (promised != 0 && whole(kCurrent, path(0, "current"), promised) == 0)
    complain(kCurrent, promised, "the file is neither that one nor the next; errno", errno);
}

static void verify_tree_at(unsigned promised, unsigned number) {
  struct stat a, b;
  if (stat(tree_path(0, number, "/a"), &a) != 0 || stat(tree_path(1, number, "/b"), &b) != 0) {
    complain(kTree, promised, "not complete is", number);
    return;
  }
  if (a.st_ino != b.st_ino || a.st_nlink != 2)
    complain(kTree, promised, "links are wrong in", number);
  if (whole(kTree, tree_path(0, number, "/a"), number) != number)
    complain(kTree, promised, "torn is the file in", number);
}

static void verify_tree(unsigned promised) {
  struct stat status;
  if (promised > 0)
    verify_tree_at(promised, promised);
  if (stat(tree_path(0, promised + 1, ""), &status) == 0)
    verify_tree_at(promised, promised + 1);
  else if (promised > 1)
    verify_tree_at(promised, promised - 1);
  if (promised > 2 && stat(tree_path(0, promised - 2, ""), &status) == 0)
    complain(kTree, promised, "not removed is", promised - 2);
}

static void verify_map(unsigned promised) {
  static uint32_t pages[kPages][kPage / 4];
  const size_t size = slurp(path(0, "map"), (unsigned char*)pages, sizeof(pages));
  if (promised == 0)
    return;
  if (size != sizeof(pages)) {
    complain(kMap, promised, "the size is", (long)size);
    return;
  }
  for (unsigned page = 0; page < kPages; ++page) {
    // The last number up to `promised` that belongs here; the next change may have begun its page.
    const unsigned back = (promised - page) % kPages;
    const unsigned wanted = back <= promised ? promised - back : 0;
    const int begun = (promised + 1) % kPages == page;
    for (unsigned i = 0; i < kPage / 4; ++i) {
      if (pages[page][i] != wanted && !(begun && pages[page][i] == promised + 1)) {
        complain(kMap, promised, "wrong is page", page);
        break;
      }
    }
  }
}

static void verify_attr(unsigned promised) {
  struct stat status;
  if (promised == 0)
    return;
  if (stat(path(0, "attr"), &status) != 0) {
    complain(kAttr, promised, "no file; errno", errno);
    return;
  }
  const unsigned next = promised + 1;
  const mode_t mode = status.st_mode & 07777;
  if (mode != mode_of(promised) && mode != mode_of(next))
    complain(kAttr, promised, "the mode is", (long)mode);
  if (status.st_size != size_of(promised) && status.st_size != size_of(next))
    complain(kAttr, promised, "the size is", (long)status.st_size);
  // Between ftruncate and futimens of the next change the time is the clock's.
  const int truncated = status.st_size == size_of(next);
  if (status.st_mtime != (time_t)promised && status.st_mtime != (time_t)next && !truncated)
    complain(kAttr, promised, "the time is", (long)status.st_mtime);
}

static void (*const kVerifiers[kKinds])(unsigned) = {verify_log, verify_current, verify_tree,
                                                     verify_map, verify_attr};

static int verify(const char* lines) {
  unsigned all = 0, number = 0;
  char writer[64], name[16];
  FILE* file = fopen(lines, "r");
  while (file && fscanf(file, "%63s %15s %u", writer, name, &number) == 3) {
    if (strcmp(writer, label()) != 0)
      continue;
    for (unsigned kind = 0; kind < kKinds; ++kind) {
      if (!strcmp(name, kNames[kind]) && number > counts[kind])
        counts[kind] = number;
    }
    ++all;
  }
  if (file)
    fclose(file);
  for (unsigned kind = 0; kind < kKinds; ++kind)
    kVerifiers[kind](counts[kind]);
  printf("%u changes\n", all);
  return failures != 0;
}

int main(int argc, char** argv) {
  if (argc != 4) {
    fprintf(stderr, "durable_writes write DIR SEED | synced DIR COUNT | verify DIR LINES\n");
    return 2;
  }
  directory = argv[2];
  if (!strcmp(argv[1], "verify"))
    return verify(argv[3]);
  if (mkdir(directory, 0755) != 0 && errno != EEXIST)
    die("mkdir", 0);
  if (!strcmp(argv[1], "write"))
    change_for_ever((unsigned)atoi(argv[3]));
  change_synced((unsigned)atoi(argv[3]));
  return 0;
}
