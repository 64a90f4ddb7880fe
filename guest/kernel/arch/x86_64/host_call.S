/* SPDX-License-Identifier: Apache-2.0 */
#include <asm-generic/errno.h>

#include "arch/x86_64/function.inc"
#include "arch/x86_64/give_up.inc"

/* in: edi = request slot. out: rax = what the monitor answers, or -errno; -EOWNERDEAD: the cell died
 * meanwhile, and whether the monitor has begun is not known */
function runhl_reserved_call
        begin_give_up $-EOWNERDEAD
        movl    $RESERVED_CALL, %eax
        syscall
        end_give_up
        ret
        .size runhl_reserved_call, . - runhl_reserved_call

/* Where what was given up goes on: rsp is on its result. */
function runhl_give_up
        call    runhl_task_started
        popq    %rax
        ret
        .size runhl_give_up, . - runhl_give_up

        .section .note.GNU-stack, "", @progbits
