// SPDX-License-Identifier: Apache-2.0
// Signal numbers, codes and flags. The C library's header, since the standard library's own headers
// bring it in and <asm/signal.h> clashes with it; the numbers are the same.
#pragma once

#include <signal.h>

#ifndef SA_RESTORER
#define SA_RESTORER 0x04000000  // asm/signal.h
#endif

/// SIGRTMIN of the kernel; the C library's is a function.
inline constexpr int kFirstRealTimeSignal = 32;
