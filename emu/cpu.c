// SPDX-License-Identifier: GPL-2.0-only
#include "cpu.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unicorn/unicorn.h>

#include "state.h"

struct cpu {
  uc_engine* engine;
  struct emu_clock clock;
  bool out, in;  // the run stopped in an OUT, or an IN
  uint32_t port, size, value;
};

static struct cpu the_cpu;

static const int kGeneral[RUNHL_EMU_GENERAL_COUNT] = {
    UC_X86_REG_RAX, UC_X86_REG_RCX, UC_X86_REG_RDX, UC_X86_REG_RBX, UC_X86_REG_RSP, UC_X86_REG_RBP,
    UC_X86_REG_RSI, UC_X86_REG_RDI, UC_X86_REG_R8,  UC_X86_REG_R9,  UC_X86_REG_R10, UC_X86_REG_R11,
    UC_X86_REG_R12, UC_X86_REG_R13, UC_X86_REG_R14, UC_X86_REG_R15};

static void on_out(uc_engine* engine, uint32_t port, int size, uint32_t value, void* user) {
  struct cpu* cpu = user;
  if (cpu->in) {
    return;  // which does not stop at once
  }
  cpu->out = true;
  cpu->port = port;
  cpu->size = (uint32_t)size;
  cpu->value = value;
  (void)uc_emu_stop(engine);
}

static uint32_t on_in(uc_engine* engine, uint32_t port, int size, void* user) {
  struct cpu* cpu = user;
  if (!cpu->in) {
    cpu->in = true;
    cpu->port = port;
    cpu->size = (uint32_t)size;
  }
  (void)uc_emu_stop(engine);
  return UINT32_MAX;
}

static void set(struct cpu* cpu, int name, uint64_t value) {
  (void)uc_reg_write(cpu->engine, name, &value);
}

static uint64_t get(struct cpu* cpu, int name) {
  uint64_t value = 0;
  (void)uc_reg_read(cpu->engine, name, &value);
  return value;
}

// Two leaves differ from the engine's model. Upstream kernels want 1 GiB pages to exist, and the
// machine's physical addresses have 36 bits (their scratch memory lies at the top of them).
static int on_cpuid(uc_engine* engine, void* user) {
  (void)engine;
  struct cpu* cpu = user;
  const uint32_t leaf = (uint32_t)get(cpu, UC_X86_REG_RAX);
  if (leaf == 0x80000001U) {
    set(cpu, UC_X86_REG_RAX, 0);
    set(cpu, UC_X86_REG_RBX, 0);
    set(cpu, UC_X86_REG_RCX, 1U << 0 | 1U << 5);  // LAHF_LM, ABM
    set(cpu, UC_X86_REG_RDX,
        1U << 11 | 1U << 20 | 1U << 26 | 1U << 27 | 1U << 29);  // SYSCALL NX PDPE1GB RDTSCP LM
    return 1;
  }
  if (leaf == 0x80000008U) {
    set(cpu, UC_X86_REG_RAX, 0x3024);  // 48 virtual bits, 36 physical
    set(cpu, UC_X86_REG_RBX, 0);
    set(cpu, UC_X86_REG_RCX, 0);
    set(cpu, UC_X86_REG_RDX, 0);
    return 1;
  }
  return 0;
}

const char* emu_cpu_create(struct cpu** result) {
  struct cpu* cpu = &the_cpu;
  uc_err error = uc_open(UC_ARCH_X86, UC_MODE_64, &cpu->engine);
  uc_hook out = 0, in = 0, cpuid = 0;
  if (error == UC_ERR_OK) {
    error = uc_ctl_set_cpu_model(cpu->engine, UC_CPU_X86_HASWELL);
  }
  if (error == UC_ERR_OK) {
    error = uc_hook_add(cpu->engine, &out, UC_HOOK_INSN, (void*)on_out, cpu, 1, 0, UC_X86_INS_OUT);
  }
  if (error == UC_ERR_OK) {
    error = uc_hook_add(cpu->engine, &in, UC_HOOK_INSN, (void*)on_in, cpu, 1, 0, UC_X86_INS_IN);
  }
  if (error == UC_ERR_OK) {
    error = uc_hook_add(cpu->engine, &cpuid, UC_HOOK_INSN, (void*)on_cpuid, cpu, 1, 0,
                        UC_X86_INS_CPUID);
  }
  if (error == UC_ERR_OK) {
    emu_clock_set(cpu->engine, &cpu->clock, 0);  // where KVM's begins
  }
  *result = cpu;
  return error == UC_ERR_OK ? NULL : uc_strerror(error);
}

const char* emu_cpu_map(struct cpu* cpu, const struct runhl_emu_request* map, void* memory) {
  const uint32_t protection =
      UC_PROT_READ | UC_PROT_EXEC | (map->value == RUNHL_EMU_READ_WRITE ? UC_PROT_WRITE : 0);
  const uc_err error = uc_mem_map_ptr(cpu->engine, map->address, map->length, protection, memory);
  return error == UC_ERR_OK ? NULL : uc_strerror(error);
}

// In an order that the engine's checks accept: paging is switched on last, and CR3 once more to
// forget what it walked before.
static void load_control(struct cpu* cpu, const struct runhl_emu_page* page) {
  const uc_x86_msr efer = {.rid = 0xc0000080U, .value = page->efer};
  const uc_x86_mmr none = {0};
  const uc_x86_mmr task = {.limit = 0xffff, .flags = 0x8b00};  // present, busy 64-bit TSS
  set(cpu, UC_X86_REG_CR4, page->cr4);
  set(cpu, UC_X86_REG_CR3, page->cr3);
  (void)uc_reg_write(cpu->engine, UC_X86_REG_MSR, &efer);
  set(cpu, UC_X86_REG_CR0, page->cr0);
  set(cpu, UC_X86_REG_CR3, page->cr3);
  set(cpu, UC_X86_REG_CR2, page->cr2);
  (void)uc_reg_write(cpu->engine, UC_X86_REG_TR, &task);
  (void)uc_reg_write(cpu->engine, UC_X86_REG_GDTR, &none);
  (void)uc_reg_write(cpu->engine, UC_X86_REG_IDTR, &none);
}

static void load_fpu(struct cpu* cpu) {
  const uint16_t control = 0x37f, status = 0, tags = 0xffff;
  const uint32_t mxcsr = 0x1f80;
  (void)uc_reg_write(cpu->engine, UC_X86_REG_FPCW, &control);
  (void)uc_reg_write(cpu->engine, UC_X86_REG_FPSW, &status);
  (void)uc_reg_write(cpu->engine, UC_X86_REG_FPTAG, &tags);
  (void)uc_reg_write(cpu->engine, UC_X86_REG_MXCSR, &mxcsr);
}

static void load(struct cpu* cpu, const struct runhl_emu_page* page) {
  if (page->load & (RUNHL_EMU_LOAD_CONTROL | RUNHL_EMU_LOAD_STATE)) {
    load_control(cpu, page);
  }
  if (page->load & RUNHL_EMU_LOAD_STATE) {
    emu_state_load(cpu->engine, &cpu->clock, &page->state);
  }
  if (page->load & RUNHL_EMU_LOAD_FPU) {
    load_fpu(cpu);
  }
  if (page->load & (RUNHL_EMU_LOAD_GENERAL | RUNHL_EMU_LOAD_STATE)) {
    for (unsigned i = 0; i < RUNHL_EMU_GENERAL_COUNT; ++i) {
      set(cpu, kGeneral[i], page->general[i]);
    }
    set(cpu, UC_X86_REG_RFLAGS, page->rflags);
    set(cpu, UC_X86_REG_RIP, page->rip);
  }
}

static void store(struct cpu* cpu, struct runhl_emu_page* page) {
  uc_x86_msr efer = {.rid = 0xc0000080U};
  for (unsigned i = 0; i < RUNHL_EMU_GENERAL_COUNT; ++i) {
    page->general[i] = get(cpu, kGeneral[i]);
  }
  page->rflags = get(cpu, UC_X86_REG_RFLAGS);
  page->rip = get(cpu, UC_X86_REG_RIP);
  page->cr0 = get(cpu, UC_X86_REG_CR0);
  page->cr2 = get(cpu, UC_X86_REG_CR2);
  page->cr3 = get(cpu, UC_X86_REG_CR3);
  page->cr4 = get(cpu, UC_X86_REG_CR4);
  (void)uc_reg_read(cpu->engine, UC_X86_REG_MSR, &efer);
  page->efer = efer.value;
}

void emu_cpu_save(struct cpu* cpu, struct runhl_emu_page* page) {
  store(cpu, page);
  emu_state_save(cpu->engine, &cpu->clock, &page->state);
}

static uint32_t exit_kind(const struct cpu* cpu, const struct runhl_emu_page* page, uc_err error) {
  switch (error) {
    case UC_ERR_OK:
      if (cpu->in) {
        return RUNHL_EMU_IN;
      }
      if (cpu->out) {
        return RUNHL_EMU_OUT;
      }
      return __atomic_load_n(&page->stop, __ATOMIC_ACQUIRE) ? RUNHL_EMU_STOPPED : RUNHL_EMU_HALT;
    case UC_ERR_EXCEPTION:
      return RUNHL_EMU_SHUTDOWN;
    case UC_ERR_READ_UNMAPPED:
    case UC_ERR_WRITE_UNMAPPED:
    case UC_ERR_FETCH_UNMAPPED:
    case UC_ERR_READ_PROT:
    case UC_ERR_WRITE_PROT:
    case UC_ERR_FETCH_PROT:
      return RUNHL_EMU_MEMORY;
    default:
      return RUNHL_EMU_BROKEN;
  }
}

void emu_cpu_run(struct cpu* cpu, struct runhl_emu_page* page) {
  load(cpu, page);
  cpu->out = cpu->in = false;
  uc_err error = UC_ERR_OK;
  if (!__atomic_load_n(&page->stop, __ATOMIC_ACQUIRE)) {
    error = uc_emu_start(cpu->engine, get(cpu, UC_X86_REG_RIP), 0, 0, 0);
  }
  store(cpu, page);
  struct runhl_emu_exit* end = &page->exit;
  end->kind = exit_kind(cpu, page, error);
  end->port = cpu->port;
  end->size = cpu->size;
  end->value = cpu->value;
  end->write = error == UC_ERR_WRITE_UNMAPPED || error == UC_ERR_WRITE_PROT;
  (void)snprintf(end->text, sizeof end->text, "%s", uc_strerror(error));
}

void emu_cpu_stop(struct cpu* cpu) {
  (void)uc_emu_stop(cpu->engine);
}
