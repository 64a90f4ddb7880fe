// SPDX-License-Identifier: GPL-2.0-only
#include "state.h"

#include <string.h>
#include <x86intrin.h>

// MSRs, by the numbers of the instruction set.
#define MSR_PAT 0x277U
#define MSR_STAR 0xc0000081U
#define MSR_LSTAR 0xc0000082U
#define MSR_FMASK 0xc0000084U
#define MSR_KERNEL_GS_BASE 0xc0000102U
#define MSR_TSC_AUX 0xc0000103U

// Within an image of FXSAVE64.
#define FX_CONTROL 0U
#define FX_STATUS 2U
#define FX_TAGS 4U /* one bit a register: not empty */
#define FX_OPCODE 6U
#define FX_INSTRUCTION 8U
#define FX_DATA 16U
#define FX_MXCSR 24U
#define FX_ST 32U /* 16 bytes each, of which 10 */
#define FX_XMM 160U
#define ST_SIZE 10U
#define FX_STEP 16U
#define X87_REGISTERS 8U
#define XMM_REGISTERS 16U

static uint64_t get(uc_engine* engine, int name) {
  uint64_t value = 0;
  (void)uc_reg_read(engine, name, &value);
  return value;
}

static void set(uc_engine* engine, int name, uint64_t value) {
  (void)uc_reg_write(engine, name, &value);
}

static uint64_t get_msr(uc_engine* engine, uint32_t number) {
  uc_x86_msr msr = {.rid = number};
  (void)uc_reg_read(engine, UC_X86_REG_MSR, &msr);
  return msr.value;
}

static void set_msr(uc_engine* engine, uint32_t number, uint64_t value) {
  const uc_x86_msr msr = {.rid = number, .value = value};
  (void)uc_reg_write(engine, UC_X86_REG_MSR, &msr);
}

static struct runhl_emu_table get_table(uc_engine* engine, int name) {
  uc_x86_mmr table = {0};
  (void)uc_reg_read(engine, name, &table);
  return (struct runhl_emu_table){.base = table.base, .limit = table.limit};
}

static void set_table(uc_engine* engine, int name, const struct runhl_emu_table* from) {
  const uc_x86_mmr table = {.base = from->base, .limit = from->limit};
  (void)uc_reg_write(engine, name, &table);
}

static struct runhl_emu_system_segment get_segment(uc_engine* engine, int name) {
  uc_x86_mmr it = {0};
  (void)uc_reg_read(engine, name, &it);
  return (struct runhl_emu_system_segment){
      .base = it.base, .limit = it.limit, .flags = it.flags, .selector = it.selector};
}

static void set_segment(uc_engine* engine, int name, const struct runhl_emu_system_segment* from) {
  const uc_x86_mmr it = {.base = from->base,
                         .limit = from->limit,
                         .flags = from->flags,
                         .selector = (uint16_t)from->selector};
  (void)uc_reg_write(engine, name, &it);
}

static void save_fpu(uc_engine* engine, uint8_t* image) {
  uint16_t control = 0, status = 0, tags = 0, opcode = 0;
  uint32_t mxcsr = 0;
  uint8_t kept = 0;
  memset(image, 0, sizeof((struct runhl_emu_state*)0)->fpu);
  (void)uc_reg_read(engine, UC_X86_REG_FPCW, &control);
  (void)uc_reg_read(engine, UC_X86_REG_FPSW, &status);
  (void)uc_reg_read(engine, UC_X86_REG_FPTAG, &tags);
  (void)uc_reg_read(engine, UC_X86_REG_FOP, &opcode);
  (void)uc_reg_read(engine, UC_X86_REG_MXCSR, &mxcsr);
  for (unsigned i = 0; i < X87_REGISTERS; ++i) {
    kept |= (uint8_t)((tags >> (2 * i) & 3U) != 3U ? 1U << i : 0);
    (void)uc_reg_read(engine, UC_X86_REG_ST0 + (int)i, image + FX_ST + FX_STEP * i);
  }
  for (unsigned i = 0; i < XMM_REGISTERS; ++i) {
    (void)uc_reg_read(engine, UC_X86_REG_XMM0 + (int)i, image + FX_XMM + FX_STEP * i);
  }
  const uint64_t instruction = get(engine, UC_X86_REG_FIP), data = get(engine, UC_X86_REG_FDP);
  memcpy(image + FX_CONTROL, &control, sizeof control);
  memcpy(image + FX_STATUS, &status, sizeof status);
  memcpy(image + FX_TAGS, &kept, sizeof kept);
  memcpy(image + FX_OPCODE, &opcode, sizeof opcode);
  memcpy(image + FX_INSTRUCTION, &instruction, sizeof instruction);
  memcpy(image + FX_DATA, &data, sizeof data);
  memcpy(image + FX_MXCSR, &mxcsr, sizeof mxcsr);
}

// The status first: it says which register is the first of the stack.
static void load_fpu(uc_engine* engine, const uint8_t* image) {
  uint16_t control = 0, status = 0, tags = 0, opcode = 0;
  uint32_t mxcsr = 0;
  uint64_t instruction = 0, data = 0;
  memcpy(&control, image + FX_CONTROL, sizeof control);
  memcpy(&status, image + FX_STATUS, sizeof status);
  memcpy(&opcode, image + FX_OPCODE, sizeof opcode);
  memcpy(&instruction, image + FX_INSTRUCTION, sizeof instruction);
  memcpy(&data, image + FX_DATA, sizeof data);
  memcpy(&mxcsr, image + FX_MXCSR, sizeof mxcsr);
  for (unsigned i = 0; i < X87_REGISTERS; ++i) {
    tags |= (uint16_t)((image[FX_TAGS] >> i & 1U) != 0 ? 0 : 3U << (2 * i));
  }
  (void)uc_reg_write(engine, UC_X86_REG_FPCW, &control);
  (void)uc_reg_write(engine, UC_X86_REG_FPSW, &status);
  (void)uc_reg_write(engine, UC_X86_REG_FPTAG, &tags);
  (void)uc_reg_write(engine, UC_X86_REG_FOP, &opcode);
  (void)uc_reg_write(engine, UC_X86_REG_MXCSR, &mxcsr);
  set(engine, UC_X86_REG_FIP, instruction);
  set(engine, UC_X86_REG_FDP, data);
  for (unsigned i = 0; i < X87_REGISTERS; ++i) {
    (void)uc_reg_write(engine, UC_X86_REG_ST0 + (int)i, image + FX_ST + FX_STEP * i);
  }
  for (unsigned i = 0; i < XMM_REGISTERS; ++i) {
    (void)uc_reg_write(engine, UC_X86_REG_XMM0 + (int)i, image + FX_XMM + FX_STEP * i);
  }
}

static int on_rdtsc(uc_engine* engine, void* user) {
  const struct emu_clock* clock = user;
  const uint64_t now = __rdtsc() + clock->offset;
  set(engine, UC_X86_REG_RAX, (uint32_t)now);
  set(engine, UC_X86_REG_RDX, now >> 32);
  return 1;
}

static int on_rdtscp(uc_engine* engine, void* user) {
  set(engine, UC_X86_REG_RCX, (uint32_t)get_msr(engine, MSR_TSC_AUX));
  return on_rdtsc(engine, user);
}

// Hooks, because the engine has no way to set its own offset.
void emu_clock_set(uc_engine* engine, struct emu_clock* clock, uint64_t now) {
  uc_hook hook = 0;
  clock->offset = now - __rdtsc();
  if (!clock->shifted) {
    clock->shifted = 1;
    (void)uc_hook_add(engine, &hook, UC_HOOK_INSN, (void*)on_rdtsc, clock, 1, 0, UC_X86_INS_RDTSC);
    (void)uc_hook_add(engine, &hook, UC_HOOK_INSN, (void*)on_rdtscp, clock, 1, 0,
                      UC_X86_INS_RDTSCP);
  }
}

void emu_state_save(uc_engine* engine, const struct emu_clock* clock,
                    struct runhl_emu_state* state) {
  state->cs = (uint16_t)get(engine, UC_X86_REG_CS);
  state->ss = (uint16_t)get(engine, UC_X86_REG_SS);
  state->ds = (uint16_t)get(engine, UC_X86_REG_DS);
  state->es = (uint16_t)get(engine, UC_X86_REG_ES);
  state->fs_base = get(engine, UC_X86_REG_FS_BASE);
  state->gs_base = get(engine, UC_X86_REG_GS_BASE);
  state->gdt = get_table(engine, UC_X86_REG_GDTR);
  state->idt = get_table(engine, UC_X86_REG_IDTR);
  state->task = get_segment(engine, UC_X86_REG_TR);
  state->ldt = get_segment(engine, UC_X86_REG_LDTR);
  state->cr8 = get(engine, UC_X86_REG_CR8);
  state->star = get_msr(engine, MSR_STAR);
  state->lstar = get_msr(engine, MSR_LSTAR);
  state->fmask = get_msr(engine, MSR_FMASK);
  state->kernel_gs_base = get_msr(engine, MSR_KERNEL_GS_BASE);
  state->pat = get_msr(engine, MSR_PAT);
  state->tsc = __rdtsc() + clock->offset;
  save_fpu(engine, state->fpu);
}

void emu_state_load(uc_engine* engine, struct emu_clock* clock,
                    const struct runhl_emu_state* state) {
  set(engine, UC_X86_REG_CS, state->cs);
  set(engine, UC_X86_REG_SS, state->ss);
  set(engine, UC_X86_REG_DS, state->ds);
  set(engine, UC_X86_REG_ES, state->es);
  set(engine, UC_X86_REG_FS_BASE, state->fs_base);
  set(engine, UC_X86_REG_GS_BASE, state->gs_base);
  set_table(engine, UC_X86_REG_GDTR, &state->gdt);
  set_table(engine, UC_X86_REG_IDTR, &state->idt);
  set_segment(engine, UC_X86_REG_TR, &state->task);
  set_segment(engine, UC_X86_REG_LDTR, &state->ldt);
  set(engine, UC_X86_REG_CR8, state->cr8);
  set_msr(engine, MSR_STAR, state->star);
  set_msr(engine, MSR_LSTAR, state->lstar);
  set_msr(engine, MSR_FMASK, state->fmask);
  set_msr(engine, MSR_KERNEL_GS_BASE, state->kernel_gs_base);
  set_msr(engine, MSR_PAT, state->pat);
  emu_clock_set(engine, clock, state->tsc);
  load_fpu(engine, state->fpu);
}
