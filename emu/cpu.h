/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The one CPU: an engine, the memory mapped into it, and how a run ended. Functions return NULL, or
 * a text that says what failed.
 */
#pragma once

#include <stdint.h>

#include "runhl/emu/protocol.h"

struct cpu;

const char* emu_cpu_create(struct cpu** result);

/* `memory` stays mapped for as long as the CPU is used. */
const char* emu_cpu_map(struct cpu* cpu, const struct runhl_emu_request* map, void* memory);

/* Loads what `page->load` names, runs, and leaves registers and exit in the page. */
void emu_cpu_run(struct cpu* cpu, struct runhl_emu_page* page);

/* Leaves registers and `page->state` as they are between two runs. */
void emu_cpu_save(struct cpu* cpu, struct runhl_emu_page* page);

/* Ends the run. In a signal handler or out of one. */
void emu_cpu_stop(struct cpu* cpu);
