/* SPDX-License-Identifier: Apache-2.0
 *
 * Copies that touch a program's memory. A fault in a marked instruction resumes at its fixup
 * (fault_fixup.h); the callers have checked that the user's range lies below kUserEnd.
 *
 * A long one, of CARRIER_LONG_COPY bytes, is given up when its cell dies: it has copied nothing then.
 * Where that is 0 all of them are.
 */
#include "arch/x86_64/function.inc"
#include "arch/x86_64/give_up.inc"

#define STRING_COPY 512         /* that long, rep movsb is the fastest */
        .macro fixup at, to
        .pushsection .rodata.fault_fixup, "a", @progbits
        .quad   \at, \to
        .popsection
        .endm

        .section .rodata.fault_fixup, "a", @progbits
        .balign 8
        .globl runhl_fault_fixup_start
runhl_fault_fixup_start:

/* rdi = to, rsi = from, rdx = size -> rax = bytes not copied (a prefix is done) */
function runhl_copy_user
        cmpq    %gs:CARRIER_LONG_COPY, %rdx
        jae     .Lcopy_long
.Lcopy_short:
        cmpq    $64, %rdx
        jae     .Lcopy_string
        movq    %rdx, %rcx
        shrq    $3, %rcx
        jz      .Lcopy_bytes
.Lcopy_word:
.Lcw1:  movq    (%rsi), %rax
.Lcw2:  movq    %rax, (%rdi)
        addq    $8, %rsi
        addq    $8, %rdi
        subq    $8, %rdx
        decq    %rcx
        jnz     .Lcopy_word
.Lcopy_bytes:
        testq   %rdx, %rdx
        jz      .Lcopy_done
.Lcb1:  movzbl  (%rsi), %eax
.Lcb2:  movb    %al, (%rdi)
        incq    %rsi
        incq    %rdi
        decq    %rdx
        jnz     .Lcb1
.Lcopy_done:
        movq    %rdx, %rax
        ret
.Lcopy_string:
        movq    %rdx, %rcx
.Lcs1:  rep movsb
        movq    %rcx, %rax
        ret
.Lcopy_string_fault:
        movq    %rcx, %rax
        ret
.Lcopy_long:
        begin_give_up %rdx
        cmpq    $STRING_COPY, %rdx
        jae     1f
        call    .Lcopy_short
        end_give_up
        ret
1:      movq    %rdx, %rcx
.Lcs2:  rep movsb
.Lcopy_long_end:
        end_give_up
        movq    %rcx, %rax
        ret
        fixup   .Lcw1, .Lcopy_bytes     /* byte by byte up to the fault */
        fixup   .Lcw2, .Lcopy_bytes
        fixup   .Lcb1, .Lcopy_done
        fixup   .Lcb2, .Lcopy_done
        fixup   .Lcs1, .Lcopy_string_fault
        fixup   .Lcs2, .Lcopy_long_end
        .size runhl_copy_user, . - runhl_copy_user

/* rdi = to, rsi = size -> rax = bytes not cleared */
function runhl_clear_user
        cmpq    %gs:CARRIER_LONG_COPY, %rsi
        jae     .Lclear_long
        movq    %rsi, %rcx
        xorl    %eax, %eax
.Lcl1:  rep stosb
.Lclear_done:
        movq    %rcx, %rax
        ret
.Lclear_long:
        begin_give_up %rsi
        movq    %rsi, %rcx
        xorl    %eax, %eax
.Lcl2:  rep stosb
.Lclear_long_end:
        end_give_up
        movq    %rcx, %rax
        ret
        fixup   .Lcl1, .Lclear_done
        fixup   .Lcl2, .Lclear_long_end
        .size runhl_clear_user, . - runhl_clear_user

/* rdi = to, rsi = from, rdx = size > 0 -> rax = length without the NUL, size if there is none,
 * -1 on a fault */
function runhl_copy_string_user
        cmpq    $0, %gs:CARRIER_LONG_COPY
        je      .Lstring_long
.Lstring_short:
        xorl    %eax, %eax
.Lst1:  movzbl  (%rsi,%rax), %ecx
        movb    %cl, (%rdi,%rax)
        testb   %cl, %cl
        jz      .Lstring_done
        incq    %rax
        cmpq    %rdx, %rax
        jb      .Lst1
.Lstring_done:
        ret
.Lstring_fault:
        movq    $-1, %rax
        ret
.Lstring_long:
        begin_give_up $-1
        call    .Lstring_short
        end_give_up
        ret
        fixup   .Lst1, .Lstring_fault
        .size runhl_copy_string_user, . - runhl_copy_string_user

/* rdi = word, esi = expected, edx = desired, rcx = where the value found goes
 * -> rax = 0, 1 on a fault */
function runhl_compare_exchange_user
        cmpq    $0, %gs:CARRIER_LONG_COPY
        je      .Lcompare_exchange_long
.Lcompare_exchange_short:
        movl    %esi, %eax
.Lcx1:  lock cmpxchgl %edx, (%rdi)
        movl    %eax, (%rcx)
        xorl    %eax, %eax
        ret
.Lcompare_exchange_fault:
        movl    $1, %eax
        ret
.Lcompare_exchange_long:
        begin_give_up $1
        call    .Lcompare_exchange_short
        end_give_up
        ret
        fixup   .Lcx1, .Lcompare_exchange_fault
        .size runhl_compare_exchange_user, . - runhl_compare_exchange_user

        .section .rodata.fault_fixup, "a", @progbits
        .globl runhl_fault_fixup_end
runhl_fault_fixup_end:

        .section .note.GNU-stack, "", @progbits
