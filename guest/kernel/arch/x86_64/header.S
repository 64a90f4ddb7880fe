/* SPDX-License-Identifier: Apache-2.0
 *
 * abi::KernelHeader, the first bytes of the kernel image. The linker script gives the two sizes.
 */
        .section .text.header, "a", @progbits
        .globl runhl_kernel_header
runhl_kernel_header:
        .quad   0x316c6e726b6c6872              /* abi::kKernelMagic */
        .long   1                               /* abi::kAbiVersion */
        .long   0
        .quad   runhl_text_size
        .quad   runhl_data_size
        .quad   runhl_launch_stub
        .quad   runhl_kernel_entry
        .quad   runhl_signal_entry
        .quad   runhl_signal_restorer
        .section .note.GNU-stack, "", @progbits
