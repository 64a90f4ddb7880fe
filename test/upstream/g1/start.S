/* SPDX-License-Identifier: Apache-2.0 */
/* Where a guest of G1 is entered, and the ways into its exceptions.
 *
 *   rdi PEB, rsi seed, rdx page size, rcx log level      first entry, on the exception stack
 *   ZF: the TLB is stale                                 a call, on the stack of the halt
 *
 * Both end at `halt`: RAX is where calls enter, RSP their stack. */
        .intel_syntax noprefix
        .section .text.start, "ax"
        .globl  start, enter_call, load_tables, load_task_register, on_page_fault, exceptions

start:
        cld
        and     rsp, -16
        call    boot
halt:
        mov     rsp, 0xffffffffffffefc0
        lea     rax, [rip + enter_call]
        mov     dx, 108
        out     dx, eax
1:      cli
        hlt
        jmp     1b

/* Nothing is written to low memory before the tables are what CR3 says they are. */
enter_call:
        jnz     1f
        mov     rax, cr3
        mov     cr3, rax
1:      lea     rsp, [rip + stack_top]
        call    serve_call
        jmp     halt

/* load_tables(const TableRegister* gdt, const TableRegister* idt) */
load_tables:
        lgdt    [rdi]
        lidt    [rsi]
        mov     eax, 0x10
        mov     ds, eax
        mov     es, eax
        mov     ss, eax
        pop     rax
        push    0x08
        push    rax
        .byte   0x48, 0xcb              /* a far return of 64 bits */

load_task_register:
        mov     eax, 0x18
        ltr     ax
        ret

on_page_fault:
        .irp    r, rax, rcx, rdx, rsi, rdi, r8, r9, r10, r11
        push    \r
        .endr
        cld
        mov     rdi, [rsp + 72]
        mov     rsi, cr2
        mov     rdx, [rsp + 80]
        call    page_fault
        .irp    r, r11, r10, r9, r8, rdi, rsi, rdx, rcx, rax
        pop     \r
        .endr
        add     rsp, 8
        iretq

/* One every 16 bytes. Of those that the CPU gives no error code, a zero takes its place. */
        .balign 16
exceptions:
        .set    vector, 0
        .rept   32
        .balign 16
        .if     !((vector == 8) || ((vector >= 10) && (vector <= 14)) || (vector == 17) || (vector == 21) || (vector == 29) || (vector == 30))
        push    0
        .endif
        push    vector
        jmp     unhandled
        .set    vector, vector + 1
        .endr
unhandled:
        mov     rdi, [rsp]
        mov     rsi, [rsp + 8]
        mov     rdx, [rsp + 16]
        mov     rcx, cr2
        and     rsp, -16
        call    exception

        .bss
        .balign 4096
        .skip   65536
stack_top:
        .section .note.GNU-stack, "", @progbits
