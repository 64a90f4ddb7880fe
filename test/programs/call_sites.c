// SPDX-License-Identifier: Apache-2.0
// call_sites: system calls in code of every shape, each often enough to be served in whatever way a
// kernel has for calls that are made often: results, registers, flags, jumps to and around the
// call, faults and signals in the instructions next to it, and what handlers are told of the place.
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

extern char __executable_start, etext;
static int failures;

#define CHECK(what)                                     \
  do {                                                  \
    if (!(what)) {                                      \
      printf("%s:%d: %s\n", __func__, __LINE__, #what); \
      ++failures;                                       \
    }                                                   \
  } while (0)

static int in_program(uint64_t rip) {
  return rip >= (uint64_t)&__executable_start && rip < (uint64_t)&etext;
}

// The number comes from elsewhere; behind the call the usual test for an error.
__attribute__((noinline)) static long compared(long number, long a0) {
  long result;
  __asm__ volatile(
      "nop\n nop\n nop\n nop\n"
      "syscall\n"
      "cmpq $-4096, %%rax\n"
      "jbe 1f\n movq $-1, %%rax\n 1:\n"
      : "=a"(result)
      : "a"(number), "D"(a0)
      : "rcx", "r11", "memory", "cc");
  return result;
}

// Only what lies before the call can make way: a branch follows.
__attribute__((noinline)) static long moved(long number, long a0, long a1) {
  long result;
  __asm__ volatile(
      "movq %1, %%rax\n movq %2, %%rdi\n movq %3, %%rsi\n"
      "syscall\n"
      "js 1f\n nop\n 1:\n"
      : "=&a"(result)
      : "r"(number), "r"(a0), "r"(a1)
      : "rcx", "r11", "rdi", "rsi", "memory", "cc");
  return result;
}

// The flags and the data named relative to the instruction survive.
static long in_memory = SYS_getppid;
__attribute__((noinline)) static long relative(uint64_t* flags) {
  long result;
  __asm__ volatile(
      "movq $5, %%rdx\n cmpq $7, %%rdx\n"
      "movq in_memory_%=(%%rip), %%rax\n"
      "syscall\n"
      "jns 2f\n 2: pushfq\n popq %1\n"
      ".pushsection .data\n in_memory_%=: .quad 110\n .popsection\n"
      : "=&a"(result), "=r"(*flags)
      :
      : "rcx", "rdx", "r11", "memory", "cc");
  (void)in_memory;
  return result;
}

// A loop enters at the instruction behind the call, without calling.
__attribute__((noinline)) static long jumped_behind(long number, long skip) {
  long result;
  __asm__ volatile(
      "testq %2, %2\n jnz 3f\n nop\n nop\n nop\n"
      "syscall\n"
      "3: leaq 100(%%rax), %%rax\n"
      : "=a"(result)
      : "a"(number), "r"(skip)
      : "rcx", "r11", "memory", "cc");
  return result;
}

static void results(void) {
  const long parent = getppid();
  for (int i = 0; i < 200; ++i) {
    uint64_t flags = 0;
    CHECK(compared(SYS_getppid, 0) == parent);
    CHECK(compared(SYS_close, 999) == -1);
    CHECK(moved(SYS_getppid, 0, 0) == parent);
    CHECK(moved(SYS_dup2, 999, 998) == -EBADF);
    CHECK(relative(&flags) == parent);
    CHECK((flags & 0x81) == 0x81);  // 5 - 7: carry and sign
    CHECK(jumped_behind(SYS_getppid, 0) == parent + 100);
    CHECK(jumped_behind(7, 1) == 107);
  }
}

// A fault at an instruction next to the call, by its address; the handler mends the register.
extern char faulting_load, faulting_second;
static volatile uint64_t fault_rip;
static long good_word = SYS_getppid;
static void mend(int signal, siginfo_t* info, void* context) {
  ucontext_t* const where = context;
  (void)signal;
  (void)info;
  fault_rip = (uint64_t)where->uc_mcontext.gregs[REG_RIP];
  where->uc_mcontext.gregs[REG_R8] = (greg_t)&good_word;
}
__attribute__((noinline)) static long loads(const long* first, const long* second) {
  long result;
  __asm__ volatile(
      "movq %1, %%r8\n movq %2, %%r9\n nop\n"
      "faulting_load: movq (%%r8), %%rdx\n"
      "movq %%r9, %%r8\n"
      "faulting_second: movq (%%r8), %%rax\n"
      "syscall\n"
      "js 4f\n 4:\n"
      : "=&a"(result)
      : "r"(first), "r"(second)
      : "rcx", "rdx", "r8", "r9", "r11", "memory", "cc");
  return result;
}

static void faults(void) {
  const long parent = getppid();
  struct sigaction action = {.sa_sigaction = mend, .sa_flags = SA_SIGINFO};
  sigaction(SIGSEGV, &action, NULL);
  for (int i = 0; i < 100; ++i) {
    CHECK(loads(&good_word, &good_word) == parent);
    if (i % 10 == 9) {
      CHECK(loads(&good_word, NULL) == parent);
      CHECK(fault_rip == (uint64_t)&faulting_second);
      CHECK(loads(NULL, &good_word) == parent);
      CHECK(fault_rip == (uint64_t)&faulting_load);
    }
  }
}

static volatile sig_atomic_t alarms, strange;
static void on_alarm(int signal, siginfo_t* info, void* context) {
  const ucontext_t* const where = context;
  (void)signal;
  (void)info;
  ++alarms;
  strange += !in_program((uint64_t)where->uc_mcontext.gregs[REG_RIP]);
}

// Signals land in every instruction there is.
static void interruptions(void) {
  const long parent = getppid();
  struct sigaction action = {.sa_sigaction = on_alarm, .sa_flags = SA_SIGINFO | SA_RESTART};
  sigaction(SIGALRM, &action, NULL);
  const struct itimerval often = {{0, 500}, {0, 500}};
  setitimer(ITIMER_REAL, &often, NULL);
  long wrong = 0;
  for (int i = 0; alarms < 200 && i < 20000000; ++i) {
    uint64_t flags;
    wrong += compared(SYS_getppid, 0) != parent;
    wrong += moved(SYS_getppid, 0, 0) != parent;
    wrong += relative(&flags) != parent || (flags & 0x81) != 0x81;
    wrong += jumped_behind(SYS_getppid, 0) != parent + 100;
  }
  const struct itimerval never = {{0, 0}, {0, 0}};
  setitimer(ITIMER_REAL, &never, NULL);
  CHECK(wrong == 0);
  CHECK(alarms > 0);
  CHECK(strange == 0);
}

// Code that is replaced: the addresses mean other instructions then.
static void replaced(void) {
  static const unsigned char first[] = {0x48, 0x89, 0xf8, 0x90, 0x90, 0x0f, 0x05,
                                        0x48, 0x3d, 0x00, 0xf0, 0xff, 0xff, 0xc3};
  static const unsigned char second[] = {0x48, 0x8d, 0x47, 0x01, 0xc3, 0x48, 0x8d,
                                         0x47, 0x02, 0x48, 0x8d, 0x40, 0x03, 0xc3};
  for (int round = 0; round < 3; ++round) {
    unsigned char* const code = mmap((void*)0x20000000, 4096, PROT_READ | PROT_WRITE,
                                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    memcpy(code, first, sizeof first);
    CHECK(mprotect(code, 4096, PROT_READ | PROT_EXEC) == 0);
    long (*call)(long) = (long (*)(long))(uintptr_t)code;
    for (int i = 0; i < 50; ++i)
      CHECK(call(SYS_getppid) == getppid());
    CHECK(mprotect(code, 4096, PROT_READ | PROT_WRITE) == 0);
    memcpy(code, second, sizeof second);
    CHECK(mprotect(code, 4096, PROT_READ | PROT_EXEC) == 0);
    CHECK(call(1) == 2);
    CHECK(((long (*)(long))(uintptr_t)(code + 5))(1) == 6);
  }
}

int main(void) {
  results();
  faults();
  interruptions();
  replaced();
  return failures != 0;
}
