/* SPDX-License-Identifier: Apache-2.0
 * Offsets and addresses that assembly shares with C++; carrier.cc asserts each against the types.
 */
#pragma once

#define CARRIER_USER_RSP 8
#define CARRIER_KSTACK_TOP 16
#define CARRIER_EXIT_RIP 24
#define CARRIER_VCPU 32
#define CARRIER_GIVE_UP_RSP 40
#define CARRIER_LONG_COPY 48
#define CARRIER_IN_SLOT 0xe000
#define CARRIER_SLOT_MASK 0xffff
#define VCPU_PEND 0
#define RESERVED_CALL 0x1000
#define FRAME_SIZE 152
#define FRAME_RAX 80
#define FRAME_EFLAGS 136
/* CF, PF, AF, ZF, SF, OF, and what is always set: the reserved bit and IF. */
#define FLAGS_OF_SAHF 0xad7
#define KERNEL_DATA_START 0x700001000000
