/* SPDX-License-Identifier: Apache-2.0
 *
 * Every way into the guest kernel and the one way out.
 *
 *   rewritten site ── annex trampoline ──► runhl_fast_entry ─┐
 *                                                            ├─► C++ on the kernel stack
 *   host signal ──► runhl_signal_entry ── signal stack ──────┘        │
 *                     └─ interrupted the kernel: rt_sigreturn         ▼
 *                                                            runhl_exit_to_user
 *
 * The user's registers are a UserFrame (proc/task.h) that ends at the top of the task's kernel
 * stack. Nothing is pushed before the stack switch: the 128 bytes below the program's rsp are its.
 */
#include <asm/unistd_64.h>

#include "arch/x86_64/asm_offsets.h"
#include "arch/x86_64/function.inc"

        .macro end name
        .size \name, . - \name
        .endm

/* Cell 0, from the launch stub. in: rdi = &CellLaunch, rsp = slot 0's idle stack. */
function runhl_kernel_entry
        and     $-16, %rsp
        xor     %ebp, %ebp
        call    runhl_boot_cell0
        ud2
end runhl_kernel_entry

/* From a trampoline.
 * in:  eax = number, rcx = return address, rsp = user's, %gs = Carrier, flags live
 * out: leaves through runhl_exit_to_user; clobbers rcx, r11 as the instruction does
 */
function runhl_fast_entry
        movq    %rsp, %gs:CARRIER_USER_RSP
        movq    %gs:CARRIER_KSTACK_TOP, %rsp
        pushq   %gs:CARRIER_USER_RSP
        pushfq
        pushq   %rcx                    /* rip */
        pushq   %rax                    /* orig_rax */
        pushq   %rdi
        pushq   %rsi
        pushq   %rdx
        pushq   %rcx
        pushq   %rax
        pushq   %r8
        pushq   %r9
        pushq   %r10
        pushq   %r11
        pushq   %rbx
        pushq   %rbp
        pushq   %r12
        pushq   %r13
        pushq   %r14
        pushq   %r15
        cld
        movq    %rsp, %rdi
        xorl    %ebp, %ebp
        call    runhl_syscall_fast
        jmp     runhl_exit_to_user
end runhl_fast_entry

/* A UserFrame from its lowest word on, in two parts. */
        .macro pop_saved
        popq    %r15
        popq    %r14
        popq    %r13
        popq    %r12
        popq    %rbp
        popq    %rbx
        popq    %r11
        popq    %r10
        popq    %r9
        popq    %r8
        .endm
        .macro pop_arguments
        popq    %rax
        popq    %rcx
        popq    %rdx
        popq    %rsi
        popq    %rdi
        leaq    8(%rsp), %rsp           /* orig_rax */
        popq    %gs:CARRIER_EXIT_RIP
        .endm

/* The one exit tail. in: rsp = the task's UserFrame.
 *
 * A host signal between the test of the pend word and the last jump would be lost until the next
 * entry; so its handler sees RIP in [exit_window_start, exit_window_end), sets RIP to the test and
 * rsp to the frame, which the pops have left intact, and the exit begins anew.
 */
function runhl_exit_to_user
        movq    %gs:CARRIER_VCPU, %rax
        cmpl    $0, VCPU_PEND(%rax)
        .globl  runhl_exit_window_start
runhl_exit_window_start:
        jne     1f
        testq   $~FLAGS_OF_SAHF, FRAME_EFLAGS(%rsp)
        jnz     2f
        pop_saved
        /* popfq takes twenty cycles: this is how to have the arithmetic flags for three. */
        movl    FRAME_EFLAGS-FRAME_RAX(%rsp), %ecx
        movb    %cl, %ah
        shrl    $11, %ecx               /* OF, which addb brings back */
        andb    $1, %cl
        movb    %cl, %al
        addb    $0x7f, %al
        sahf
        pop_arguments
        leaq    8(%rsp), %rsp           /* flags */
        popq    %rsp
        jmp     *%gs:CARRIER_EXIT_RIP
2:      pop_saved
        pop_arguments
        popfq
        popq    %rsp
        jmp     *%gs:CARRIER_EXIT_RIP
        .globl  runhl_exit_window_end
runhl_exit_window_end:
1:      movq    %rsp, %rdi
        xorl    %ebp, %ebp
        call    runhl_exit_work
        jmp     runhl_exit_to_user
end runhl_exit_to_user

/* Handler of every host signal.
 * in: rdi = signal, rsi = siginfo, rdx = ucontext, rsp = on the carrier's signal stack
 * runhl_signal_dispatch returns null: resume by rt_sigreturn what the context says. Else the
 * UserFrame it has filled, of a synchronous signal: the signal stack is left for good.
 *
 * Frames on the signal stack are bounded: synchronous signals do not come from here, and the
 * asynchronous ones (SIGALRM, SIGCHLD) stay blocked until their sigreturn. So there is one frame
 * of each kind at most, at any rate of signals.
 */
function runhl_signal_entry
        movq    %rsp, %rbx
        movq    %rsp, %rcx
        andq    $~CARRIER_SLOT_MASK, %rcx
        addq    $CARRIER_IN_SLOT, %rcx
        andq    $-16, %rsp
        xorl    %ebp, %ebp
        cld
        call    runhl_signal_dispatch
        testq   %rax, %rax
        jz      1f
        movq    %rax, %rsp
        jmp     runhl_signal_on_kernel_stack
1:      movq    %rbx, %rsp
        ret                             /* to runhl_signal_restorer, the frame's return address */
end runhl_signal_entry

/* A signal of a program, off the signal stack. in: rsp = the filled UserFrame. Asynchronous signals
 * come here by rt_sigreturn, which unblocks them. */
function runhl_signal_on_kernel_stack
        movq    %rsp, %rdi
        xorl    %ebp, %ebp
        call    runhl_user_signal
        jmp     runhl_exit_to_user
end runhl_signal_on_kernel_stack

function runhl_signal_restorer
        movl    $__NR_rt_sigreturn, %eax
        syscall
        ud2
end runhl_signal_restorer

/* Saves the callee-saved registers of the running kernel context and resumes another one.
 * in: rdi = where to store rsp, rsi = rsp to resume */
function runhl_switch_context
        pushq   %rbp
        pushq   %rbx
        pushq   %r12
        pushq   %r13
        pushq   %r14
        pushq   %r15
        movq    %rsp, (%rdi)
        movq    %rsi, %rsp
        popq    %r15
        popq    %r14
        popq    %r13
        popq    %r12
        popq    %rbx
        popq    %rbp
        ret
end runhl_switch_context

/* First instructions of a new task: runhl_switch_context "returns" here with rbx = its function
 * and rsp = its UserFrame. */
function runhl_task_entry
        xorl    %ebp, %ebp
        call    runhl_task_started
        call    *%rbx
        jmp     runhl_exit_to_user
end runhl_task_entry

/* in: rdi = flags, rsi = child's stack top, rdx = child's entry. out: rax = pid or -errno */
function runhl_clone_cell
        movq    %rdx, %r9
        xorl    %edx, %edx
        xorl    %r10d, %r10d
        xorl    %r8d, %r8d
        movl    $__NR_clone, %eax
        syscall
        testq   %rax, %rax
        jz      1f
        ret
1:      xorl    %ebp, %ebp
        call    *%r9
        ud2
end runhl_clone_cell

/* The kernel's stack of the current carrier is dead: continue in rsi on stack rdi. */
function runhl_switch_stack_and_call
        movq    %rdi, %rsp
        xorl    %ebp, %ebp
        call    *%rsi
        ud2
end runhl_switch_stack_and_call

        .section .note.GNU-stack, "", @progbits
