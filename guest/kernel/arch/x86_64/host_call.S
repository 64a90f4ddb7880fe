/* SPDX-License-Identifier: Apache-2.0 */
#include <asm-generic/errno.h>
#include <asm/unistd_64.h>

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

/* in: rdi = number and arguments of a call, seven words. out: rax, or -EOWNERDEAD: the cell died
 * meanwhile */
function runhl_memory_call
        begin_give_up $-EOWNERDEAD
        movq    (%rdi), %rax
        movq    16(%rdi), %rsi
        movq    24(%rdi), %rdx
        movq    32(%rdi), %r10
        movq    40(%rdi), %r8
        movq    48(%rdi), %r9
        movq    8(%rdi), %rdi
        syscall
        end_give_up
        ret
        .size runhl_memory_call, . - runhl_memory_call

/* runhl_clone_cell (entry.S) with CLONE_PARENT_SETTID, rcx = where the child's pid goes. -EOWNERDEAD:
 * the caller's cell died meanwhile; then that word says whether there is a child */
function runhl_clone_running_cell
        movq    %rdx, %r9
        movq    %rcx, %rdx
        begin_give_up $-EOWNERDEAD
        xorl    %r10d, %r10d
        xorl    %r8d, %r8d
        movl    $__NR_clone, %eax
        syscall
        testq   %rax, %rax
        jz      1f
        end_give_up
        ret
1:      xorl    %ebp, %ebp
        call    *%r9
        ud2
        .size runhl_clone_running_cell, . - runhl_clone_running_cell

/* Where what was given up goes on: rsp is on its result. */
function runhl_give_up
        call    runhl_task_started
        popq    %rax
        ret
        .size runhl_give_up, . - runhl_give_up

        .section .note.GNU-stack, "", @progbits
