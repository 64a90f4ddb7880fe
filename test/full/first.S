/* SPDX-License-Identifier: Apache-2.0 */
/* A program for upstream kernels that shows the host its first instructions: it writes to a port that
   no host has. */
        .globl  _start
_start:
        mov     $0x500, %edx
        out     %eax, %dx
        hlt
        .section .note.GNU-stack, "", @progbits
