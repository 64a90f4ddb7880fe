// SPDX-License-Identifier: Apache-2.0
// registers [ROUNDS]: what a system call must leave alone: all general registers but rax, rcx and
// r11, the vector registers, the flags' direction bit, and the red zone below the stack pointer.
// Many times, for a call site may be served differently the first and the thousandth time.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

static uint64_t general(uint64_t seed) {
  register uint64_t wrong;
  __asm__ volatile(
      "movq %1, %%rbx\n lea 1(%1), %%rdx\n lea 2(%1), %%rsi\n lea 3(%1), %%rdi\n"
      "lea 4(%1), %%r8\n lea 5(%1), %%r9\n lea 6(%1), %%r10\n lea 7(%1), %%r12\n"
      "lea 8(%1), %%r13\n lea 9(%1), %%r14\n lea 10(%1), %%r15\n"
      "movl $110, %%eax\n syscall\n"
      "xorl %%eax, %%eax\n"
      "subq %%rbx, %%rdx\n decq %%rdx\n orq %%rdx, %%rax\n"
      "subq %%rbx, %%rsi\n subq $2, %%rsi\n orq %%rsi, %%rax\n"
      "subq %%rbx, %%rdi\n subq $3, %%rdi\n orq %%rdi, %%rax\n"
      "subq %%rbx, %%r8\n subq $4, %%r8\n orq %%r8, %%rax\n"
      "subq %%rbx, %%r9\n subq $5, %%r9\n orq %%r9, %%rax\n"
      "subq %%rbx, %%r10\n subq $6, %%r10\n orq %%r10, %%rax\n"
      "subq %%rbx, %%r12\n subq $7, %%r12\n orq %%r12, %%rax\n"
      "subq %%rbx, %%r13\n subq $8, %%r13\n orq %%r13, %%rax\n"
      "subq %%rbx, %%r14\n subq $9, %%r14\n orq %%r14, %%rax\n"
      "subq %%rbx, %%r15\n subq $10, %%r15\n orq %%r15, %%rax\n"
      : "=&a"(wrong)
      : "c"(seed)
      : "rbx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "memory",
        "cc");
  return wrong;
}

static int vectors(uint64_t seed) {
  uint64_t before[2] = {seed, ~seed};
  uint64_t after[4] = {0, 0, 0, 0};
  __asm__ volatile(
      "movdqu (%0), %%xmm0\n movdqa %%xmm0, %%xmm7\n movdqa %%xmm0, %%xmm15\n"
      "movl $110, %%eax\n syscall\n"
      "movdqu %%xmm7, (%1)\n movdqu %%xmm15, 16(%1)\n"
      :
      : "r"(before), "r"(after)
      : "rax", "rcx", "r11", "xmm0", "xmm7", "xmm15", "memory");
  return memcmp(before, after, 16) || memcmp(before, after + 2, 16);
}

static uint64_t red_zone(uint64_t seed) {
  uint64_t wrong;
  __asm__ volatile(
      "movq %1, -8(%%rsp)\n movq %1, -64(%%rsp)\n movq %1, -128(%%rsp)\n"
      "movl $110, %%eax\n syscall\n"
      "movq -8(%%rsp), %%rax\n xorq %1, %%rax\n"
      "movq -64(%%rsp), %%rdx\n xorq %1, %%rdx\n orq %%rdx, %%rax\n"
      "movq -128(%%rsp), %%rdx\n xorq %1, %%rdx\n orq %%rdx, %%rax\n"
      : "=&a"(wrong)
      : "r"(seed)
      : "rcx", "rdx", "r11", "memory");
  return wrong;
}

int main(int argc, char** argv) {
  const uint64_t rounds = argc > 1 ? strtoull(argv[1], NULL, 10) : 3000;
  int bad = 0;
  for (uint64_t i = 1; i <= rounds; ++i) {
    const uint64_t seed = i * 0x9e3779b97f4a7c15ULL;
    if (general(seed))
      bad |= 1;
    if (vectors(seed))
      bad |= 2;
    if (red_zone(seed))
      bad |= 4;
  }
  if (bad) {
    printf("damaged:%s%s%s\n", bad & 1 ? " registers" : "", bad & 2 ? " vectors" : "",
           bad & 4 ? " red zone" : "");
    return 1;
  }
  printf("all kept\n");
  return 0;
}
