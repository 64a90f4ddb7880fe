/* SPDX-License-Identifier: GPL-2.0-only */
/* All of a CPU beside its general and control registers, to and from the page. */
#pragma once

#include <unicorn/unicorn.h>

#include "runhl/emu/protocol.h"

/* What RDTSC reads is the host's counter and this. */
struct emu_clock {
  uint64_t offset;
  int shifted; /* the offset is in use, by hooks */
};

/* It goes on from `now`. */
void emu_clock_set(uc_engine* engine, struct emu_clock* clock, uint64_t now);

void emu_state_save(uc_engine* engine, const struct emu_clock* clock,
                    struct runhl_emu_state* state);

/* After the control registers, which say how segments and MSRs are to be taken. */
void emu_state_load(uc_engine* engine, struct emu_clock* clock,
                    const struct runhl_emu_state* state);
