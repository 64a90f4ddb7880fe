/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Between the monitor's side (vmm/emu) and runhl-emu, the software CPU. Two licences, because it is
 * part of both programs; nothing else is.
 *
 *   monitor                        socket (SOCK_SEQPACKET)                        runhl-emu
 *   HELLO version  + page's memfd  ───────────────────────►  maps the page, makes the CPU
 *                                  ◄───────────────────────  answer
 *   MAP address …  + memfd         ───────────────────────►  maps it into the guest (any number)
 *                                  ◄───────────────────────  answer
 *   page: registers, `load`
 *   RUN                            ───────────────────────►  first RUN: confines itself for good
 *                                                            guest runs …
 *   page: registers, exit          ◄───────────────────────  answer
 *   SAVE                           ───────────────────────►  between two runs
 *   page: registers, state         ◄───────────────────────  answer
 *
 * Guest memory and the page are shared; a message carries no state but its kind. At any time the
 * monitor may set `stop` in the page and send SIGUSR1: the run then ends with STOPPED. The monitor
 * repeats the signal until it has the answer, so none is lost. End of file on either side means
 * that the other is gone. The monitor trusts nothing that it reads here: a guest that has broken
 * out of the software CPU writes the page.
 */
#pragma once

#ifdef __cplusplus
#include <cstdint>
#else
#include <stdint.h>
#endif

#define RUNHL_EMU_VERSION 3U
#define RUNHL_EMU_SOCKET 3          /* its number in runhl-emu */
#define RUNHL_EMU_TEXT_SIZE 128U    /* of an error, NUL included */
#define RUNHL_EMU_GENERAL_COUNT 16U /* rax rcx rdx rbx rsp rbp rsi rdi r8 … r15 */

enum runhl_emu_request_kind {
  RUNHL_EMU_HELLO = 1,
  RUNHL_EMU_MAP = 2,
  RUNHL_EMU_RUN = 3,
  RUNHL_EMU_SAVE = 4
};

enum runhl_emu_access { RUNHL_EMU_READ_ONLY = 0, RUNHL_EMU_READ_WRITE = 1 };

struct runhl_emu_request {
  uint32_t kind;
  uint32_t value;   /* HELLO: version; MAP: access */
  uint64_t address; /* MAP: guest-physical, a multiple of a page, as the two that follow */
  uint64_t length;
  uint64_t offset; /* in the descriptor */
};

struct runhl_emu_answer {
  uint32_t failed; /* 1: `exit.text` says why, except of HELLO, before which there is no page */
};

/* Groups of registers that the next run takes from the page. */
#define RUNHL_EMU_LOAD_GENERAL 1U
#define RUNHL_EMU_LOAD_CONTROL 2U /* control registers, EFER, and an empty task, GDT and IDT */
#define RUNHL_EMU_LOAD_FPU 4U     /* as after FNINIT, with MXCSR 0x1f80 */
#define RUNHL_EMU_LOAD_STATE 8U   /* `state`, and the first two groups */

enum runhl_emu_exit_kind {
  RUNHL_EMU_OUT = 1,      /* port, size, value; rip is behind the instruction */
  RUNHL_EMU_HALT = 2,     /* HLT; rip is behind it */
  RUNHL_EMU_SHUTDOWN = 3, /* triple fault */
  RUNHL_EMU_MEMORY = 4,   /* access to nothing, or a write to what is read-only; rip is at it */
  RUNHL_EMU_STOPPED = 5,
  RUNHL_EMU_BROKEN = 6, /* the engine gave up; text */
  RUNHL_EMU_IN = 7      /* port, size; the guest is of no use any more */
};

struct runhl_emu_exit {
  uint32_t kind;
  uint32_t port;
  uint32_t size; /* bytes: 1, 2 or 4 */
  uint32_t value;
  uint32_t write; /* MEMORY: it was a store */
  char text[RUNHL_EMU_TEXT_SIZE];
};

struct runhl_emu_table {
  uint64_t base;
  uint32_t limit;
};

/* With its hidden part: `flags` as bits 8 to 23 of a descriptor's second word. */
struct runhl_emu_system_segment {
  uint64_t base;
  uint32_t limit, flags;
  uint32_t selector;
};

/*
 * What a CPU has beside general and control registers. CS and SS are flat and of ring 0: the engine
 * lets nobody set their hidden parts, and has no others when a kernel's monitor looks.
 */
struct runhl_emu_state {
  uint32_t cs, ss, ds, es; /* selectors */
  uint64_t fs_base, gs_base;
  struct runhl_emu_table gdt, idt;
  struct runhl_emu_system_segment task, ldt;
  uint64_t cr8, star, lstar, fmask, kernel_gs_base, pat;
  uint64_t tsc;     /* SAVE: now; LOAD: it goes on from here */
  uint8_t fpu[512]; /* an image as FXSAVE64 writes */
};

struct runhl_emu_page {
  uint32_t stop; /* written by the monitor while the guest runs */
  uint32_t load;
  uint64_t general[RUNHL_EMU_GENERAL_COUNT];
  uint64_t rip, rflags;
  uint64_t cr0, cr2, cr3, cr4, efer;
  struct runhl_emu_exit exit;
  struct runhl_emu_state state;
};
