/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program that waits in a snapshot of an upstream kernel: it blocks in read() on the kernel's
 * queue of calls, is written down there, and becomes the program that the first call after the
 * restore names (abi/hyperlight.h, kStartMark). Linux's interface alone, no C library, no
 * relocation.
 */
#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>

#define F_OK 0
#define STARTER "/.runhl-start"
#define MARK "runhl starts\n" /* kStartMark */
#define MARK_SIZE (sizeof MARK - 1)
#define PLACED 0x80000000U  /* kStartPlaced */
#define CALL_SIZE 0x12000UL /* no kernel hands out larger ones to a host of ours */
#define WORDS 8192UL        /* arguments, variables, and a null behind each */

static char call[CALL_SIZE];
static char* words[WORDS];
/* Where count says so: path, working directory, name of the machine; and a null. */
static char* place[4];

static long do_call(long number, const void* a, const void* b, const void* c) {
  long result = 0;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(c)
                   : "rcx", "r11", "memory");
  return result;
}

static unsigned long length(const char* text) {
  unsigned long n = 0;
  while (text[n] != 0) {
    ++n;
  }
  return n;
}

static void complain(const char* about, const char* why) {
  (void)do_call(__NR_write, (void*)2, about, (void*)length(about));
  (void)do_call(__NR_write, (void*)2, why, (void*)length(why));
}

static __attribute__((noreturn)) void leave(long status) {
  for (;;) {
    (void)do_call(__NR_exit_group, (void*)status, 0, 0);
  }
}

/* Behind the mark, or null. */
static char* find_text(long size) {
  for (long at = 0; at + (long)MARK_SIZE <= size; ++at) {
    unsigned long same = 0;
    while (same < MARK_SIZE && call[at + (long)same] == MARK[same]) {
      ++same;
    }
    if (same == MARK_SIZE) {
      return call + at + MARK_SIZE;
    }
  }
  return 0;
}

/* `count` words from `text` on into `to` and a null: the end of their bytes, or null. */
static char* take_words(char* text, const char* end, uint32_t count, char** to) {
  for (uint32_t i = 0; i < count; ++i) {
    to[i] = text;
    while (text < end && *text != 0) {
      ++text;
    }
    if (text == end) {
      return 0;
    }
    ++text;
  }
  to[count] = 0;
  return text;
}

/* What the call says of it; else as the kernel left it. */
static void go_to_place(void) {
  if (place[2] != 0 && place[2][0] != 0) {
    (void)do_call(__NR_sethostname, place[2], (void*)length(place[2]), 0);
  }
  if (place[1] != 0 && do_call(__NR_chdir, place[1], 0, 0) != 0) {
    complain(place[1], ": no directory to begin in\n");
    leave(126);
  }
}

static __attribute__((noreturn)) void become(long calls, long size) {
  uint32_t count[2];
  char* text = find_text(size);
  const char* const end = call + size;
  if (text == 0 || end - text < (long)sizeof count) {
    complain(STARTER, ": no call of ours\n");
    leave(125);
  }
  __builtin_memcpy(count, text, sizeof count);
  text += sizeof count;
  const int placed = (count[0] & PLACED) != 0;
  count[0] &= ~PLACED;
  if (count[0] == 0 || count[0] > WORDS || count[1] > WORDS - 2 - count[0]) {
    complain(STARTER, ": too many words\n");
    leave(125);
  }
  char** const args = words;
  char** const environment = words + count[0] + 1;
  text = placed ? take_words(text, end, 3, place) : text;
  text = text != 0 ? take_words(text, end, count[0], args) : 0;
  if (text == 0 || take_words(text, end, count[1], environment) == 0) {
    complain(STARTER, ": words without an end\n");
    leave(125);
  }
  (void)do_call(__NR_unlink, STARTER, 0, 0);
  (void)do_call(__NR_close, (void*)calls, 0, 0); /* kernels keep it over an execve all the same */
  go_to_place();
  const char* const path = placed ? place[0] : args[0];
  if (do_call(__NR_access, path, (void*)F_OK, 0) == -ENOENT) { /* execve does not say so in 0.17 */
    complain(path, ": No such file or directory\n");
    leave(127);
  }
  (void)do_call(__NR_execve, path, args, environment);
  complain(path, ": no program that the kernel can load\n");
  leave(126);
}

__attribute__((noreturn, used)) static void run(void) {
  const long fd = do_call(__NR_open, "/dev/hlcall", (void*)(O_RDWR | O_CLOEXEC), 0);
  for (;;) {
    const long got = do_call(__NR_read, (void*)fd, call, (void*)CALL_SIZE);
    if (got > 0) {
      become(fd, got);
    }
    if (got != 0 && got != -EINTR) {
      complain(STARTER, ": the kernel has no calls\n");
      leave(125);
    }
  }
}

/* The stack is as the kernel left it: aligned, and then a return address is missing. */
__asm__(
    ".globl _start\n"
    "_start:\n"
    "  xor %ebp, %ebp\n"
    "  and $-16, %rsp\n"
    "  call run\n");
