/* SPDX-License-Identifier: Apache-2.0
 * Offsets and addresses that assembly shares with C++; carrier.cc asserts each against the types.
 */
#pragma once

#define CARRIER_USER_RSP 8
#define CARRIER_KSTACK_TOP 16
#define CARRIER_EXIT_RIP 24
#define CARRIER_VCPU 32
#define CARRIER_IN_SLOT 0xe000
#define CARRIER_SLOT_MASK 0xffff
#define VCPU_PEND 0
#define FRAME_SIZE 152
#define KERNEL_DATA_START 0x700001000000
