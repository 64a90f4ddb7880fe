// SPDX-License-Identifier: Apache-2.0
// hot_calls [ROUNDS]: nanoseconds a call, minimum of several rounds, one "name ns" a line.
// The calls are made at one syscall instruction each, as libc makes them, never by vDSO but where
// the name says so; a page fault is the first touch of anonymous memory.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static double now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int file = -1;
static struct timespec scratch;

static void call_getppid(void) {
  getppid();
}
static void call_lseek(void) {
  lseek(file, 0, SEEK_CUR);
}
// libc reaches clock_gettime by the vDSO alone; this is the site it would have.
static void call_clock(void) {
  long number;
  __asm__ volatile("mov %1, %%eax\n\tsyscall"
                   : "=&a"(number)
                   : "i"(SYS_clock_gettime), "D"(CLOCK_MONOTONIC), "S"(&scratch)
                   : "rcx", "r11", "memory");
}
static void call_vdso(void) {
  clock_gettime(CLOCK_MONOTONIC, &scratch);
}

static double best(void (*call)(void), long count, int rounds) {
  double least = 1e18;
  for (int round = 0; round < rounds; ++round) {
    const double began = now_ns();
    for (long i = 0; i < count; ++i)
      call();
    const double each = (now_ns() - began) / (double)count;
    if (each < least)
      least = each;
  }
  return least;
}

static double page_fault(int rounds) {
  const size_t size = 16UL << 20;
  double least = 1e18;
  for (int round = 0; round < rounds; ++round) {
    char* memory = mmap(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
      return 0;
    madvise(memory, size, MADV_NOHUGEPAGE);
    const double began = now_ns();
    for (size_t at = 0; at < size; at += 4096)
      *(volatile char*)(memory + at) = 1;
    const double each = (now_ns() - began) / (double)(size / 4096);
    if (each < least)
      least = each;
    munmap(memory, size);
  }
  return least;
}

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? atoi(argv[1]) : 5;
  file = open("/etc/passwd", O_RDONLY);
  printf("getppid %.1f\n", best(call_getppid, 200000, rounds));
  printf("lseek %.1f\n", best(call_lseek, 200000, rounds));
  printf("clock_gettime %.1f\n", best(call_clock, 200000, rounds));
  printf("clock_gettime-vdso %.1f\n", best(call_vdso, 200000, rounds));
  printf("page-fault %.1f\n", page_fault(rounds));
  return 0;
}
