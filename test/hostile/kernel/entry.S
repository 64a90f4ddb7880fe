/* SPDX-License-Identifier: Apache-2.0
 *
 * The hostile kernel's header, entry and signal entry.
 */
        .section .header, "a", @progbits
        .quad   0x316c6e726b6c6872              /* abi::kKernelMagic */
        .long   1                               /* abi::kAbiVersion */
        .long   0
        .quad   runhl_text_size
        .quad   runhl_data_size
        .quad   runhl_launch_stub
        .quad   runhl_kernel_entry
        .quad   hostile_signal_entry
        .quad   hostile_signal_restorer

        .text
        .globl  runhl_kernel_entry
        .type   runhl_kernel_entry, @function
runhl_kernel_entry:
        and     $-16, %rsp
        xor     %ebp, %ebp
        call    hostile_main
        ud2

/* rdi = signal, rsi = siginfo, rdx = ucontext; returns into the restorer */
        .type   hostile_signal_entry, @function
hostile_signal_entry:
        jmp     hostile_on_signal

        .type   hostile_signal_restorer, @function
hostile_signal_restorer:
        mov     $15, %eax                       /* rt_sigreturn */
        syscall
        ud2

/* rdi = number, rsi = int[6] of arguments -> rax; the convention of 32-bit programs */
        .globl  hostile_int80
        .type   hostile_int80, @function
hostile_int80:
        push    %rbx
        push    %rbp
        mov     %edi, %eax
        mov     %rsi, %r8
        mov     0(%r8), %ebx
        mov     4(%r8), %ecx
        mov     8(%r8), %edx
        mov     12(%r8), %esi
        mov     16(%r8), %edi
        mov     20(%r8), %ebp
        int     $0x80
        pop     %rbp
        pop     %rbx
        ret

/* rdi = address, sil = value -> 0, or 1 when the store faulted (hostile_on_signal resumes at 1:) */
        .globl  hostile_try_store, hostile_try_store_fault
        .type   hostile_try_store, @function
hostile_try_store:
        movb    %sil, (%rdi)
        xor     %eax, %eax
        ret
hostile_try_store_fault:
        mov     $1, %eax
        ret

/* rdi = flags, rsi = stack top of the child, rdx = what the child runs, never returning -> rax */
        .globl  hostile_clone
        .type   hostile_clone, @function
hostile_clone:
        mov     %rdx, %r9
        xor     %edx, %edx
        xor     %r10d, %r10d
        xor     %r8d, %r8d
        mov     $56, %eax                       /* clone */
        syscall
        test    %rax, %rax
        jz      1f
        ret
1:      xor     %ebp, %ebp
        call    *%r9
        ud2

        .section .note.GNU-stack, "", @progbits
