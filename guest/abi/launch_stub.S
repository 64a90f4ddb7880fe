/* SPDX-License-Identifier: Apache-2.0
 *
 * The launcher's last instructions, inside the window (abi/kernel_image.h). Nothing outside the
 * window survives it: the code that jumped here is unmapped by the first call.
 *
 * in:  rdi = &CellLaunch, in the window
 * out: jumps to CellLaunch.entry, rdi unchanged, rsp = CellLaunch.stack, everything else undefined
 * A refused call ends the process with status 125: the monitor sees cell 0 die before it is ready.
 */
#include <asm/unistd_64.h>

#define LAUNCH_STACK 0
#define LAUNCH_ENTRY 8
#define LAUNCH_UNMAP1 16
#define LAUNCH_UNMAP2 32
#define LAUNCH_FILTER 48
#define SECCOMP_SET_MODE_FILTER 1

        .section .text.launch_stub, "ax", @progbits
        .globl runhl_launch_stub
        .type runhl_launch_stub, @function
runhl_launch_stub:
        mov     %rdi, %rbx
        mov     LAUNCH_STACK(%rbx), %rsp
        xor     %ebp, %ebp

        mov     LAUNCH_UNMAP1(%rbx), %rdi
        mov     LAUNCH_UNMAP1+8(%rbx), %rsi
        mov     $__NR_munmap, %eax
        syscall
        test    %rax, %rax
        jnz     1f
        mov     LAUNCH_UNMAP2(%rbx), %rdi
        mov     LAUNCH_UNMAP2+8(%rbx), %rsi
        mov     $__NR_munmap, %eax
        syscall
        test    %rax, %rax
        jnz     1f

        mov     $SECCOMP_SET_MODE_FILTER, %edi
        xor     %esi, %esi
        mov     LAUNCH_FILTER(%rbx), %rdx
        mov     $__NR_seccomp, %eax
        syscall
        test    %rax, %rax
        jnz     1f

        mov     %rbx, %rdi
        mov     LAUNCH_ENTRY(%rbx), %rax
        jmp     *%rax

1:      mov     $125, %edi
        mov     $__NR_exit_group, %eax
        syscall
        ud2
        .size runhl_launch_stub, . - runhl_launch_stub
        .section .note.GNU-stack, "", @progbits
