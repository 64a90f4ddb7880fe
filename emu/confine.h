/* SPDX-License-Identifier: GPL-2.0-only */
/* What is left to the process once the guest runs: its memory, its socket, and the end. */
#pragma once

#include <stdint.h>

/* What can be given up at once: other descriptors, core dumps, life after the monitor. 0, or -1. */
int confine_early(void);

/* For good. `mapped`: bytes of guest memory. 0, or -1 with errno. */
int confine(uint64_t mapped);
