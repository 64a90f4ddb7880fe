// SPDX-License-Identifier: Apache-2.0
// What the CPU is: its CPUID, its model-specific registers, its FPU, its clock.
#include <gtest/gtest.h>

#include "guest_fixture.h"

namespace runhl::vmm {
namespace {

class Cpu : public GuestTest {};
RUNHL_ON_EVERY_BACKEND(Cpu);

TEST_P(Cpu, Has_1_GiB_pages_and_36_physical_bits) {
  if (kvm_emulates()) {
    GTEST_SKIP() << "this KVM has no 1 GiB pages";
  }
  // mov $0x80000001, %eax; cpuid; hlt; mov $0x80000008, %eax; cpuid; hlt
  code({0xb8, 0x01, 0, 0, 0x80, 0x0f, 0xa2, 0xf4, 0xb8, 0x08, 0, 0, 0x80, 0x0f, 0xa2, 0xf4});
  EXPECT_EQ(run().kind, ExitKind::Halt);
  EXPECT_NE(registers().rdx & 1U << 26, 0U);
  EXPECT_EQ(again().kind, ExitKind::Halt);
  EXPECT_EQ(registers().rax & 0xff, 36U);
}

TEST_P(Cpu, Has_no_virtualisation_of_its_own) {
  // mov $1, %eax; cpuid; hlt; mov $0x80000001, %eax; cpuid; hlt
  code({0xb8, 0x01, 0, 0, 0, 0x0f, 0xa2, 0xf4, 0xb8, 0x01, 0, 0, 0x80, 0x0f, 0xa2, 0xf4});
  EXPECT_EQ(run().kind, ExitKind::Halt);
  EXPECT_EQ(registers().rcx & (1U << 5 | 1U << 21), 0U);  // VMX, x2APIC
  EXPECT_EQ(again().kind, ExitKind::Halt);
  EXPECT_EQ(registers().rcx & 1U << 2, 0U);  // SVM
}

TEST_P(Cpu, Registers_of_SYSCALL_can_be_written) {
  // mov $0xc0000082, %ecx; mov $0x11223344, %eax; mov $1, %edx; wrmsr; xor %eax, %eax; rdmsr; hlt
  code({0xb9, 0x82, 0, 0, 0xc0, 0xb8, 0x44, 0x33, 0x22, 0x11, 0xba,
        0x01, 0,    0, 0, 0x0f, 0x30, 0x31, 0xc0, 0x0f, 0x32, 0xf4});
  EXPECT_EQ(run().kind, ExitKind::Halt);
  EXPECT_EQ(registers().rax, 0x11223344U);
  EXPECT_EQ(registers().rdx, 1U);
}

TEST_P(Cpu, Other_registers_are_denied) {
  if (!on_kvm()) {
    GTEST_SKIP() << "the engine denies none: they read as 0";
  }
  for (const std::uint32_t msr : {0x1bU, 0x10U, 0x8bU, 0x1a0U, 0x4b564d00U, 0xc0000080U}) {
    put_tables();
    // rdmsr; hlt
    code({0x0f, 0x32, 0xf4});
    start_.rcx = msr;
    EXPECT_EQ(run().kind, ExitKind::Halt);
    EXPECT_EQ(registers().rax, 13U) << msr;  // #GP
    // wrmsr; hlt
    code({0x0f, 0x30, 0xf4});
    EXPECT_EQ(run().kind, ExitKind::Halt);
    EXPECT_EQ(registers().rax, 13U) << msr;
  }
}

TEST_P(Cpu, The_floating_point_unit_can_be_reset) {
  if (kvm_emulates()) {
    GTEST_SKIP() << "this KVM has no LDMXCSR";
  }
  put(kData, 0x1f3f);  // MXCSR
  // ldmxcsr (%rbx); hlt; stmxcsr (%rbx); fnstcw 8(%rbx); hlt
  code({0x0f, 0xae, 0x13, 0xf4, 0x0f, 0xae, 0x1b, 0xd9, 0x7b, 0x08, 0xf4});
  start_.rbx = kData;
  EXPECT_EQ(run().kind, ExitKind::Halt);
  cpu_->reset_fpu();
  EXPECT_EQ(again().kind, ExitKind::Halt);
  EXPECT_EQ(get(kData) & 0xffffffff, 0x1f80U);
  EXPECT_EQ(get(kData + 8) & 0xffff, 0x37fU);
}

TEST_P(Cpu, Rdrand_works_where_no_file_can_be_opened) {
  if (kvm_emulates()) {
    GTEST_SKIP() << "this KVM has no RDRAND";
  }
  // rdrand %rax; rdrand %rbx; hlt
  code({0x48, 0x0f, 0xc7, 0xf0, 0x48, 0x0f, 0xc7, 0xf3, 0xf4});
  EXPECT_EQ(run().kind, ExitKind::Halt);
  EXPECT_EQ(registers().rflags & 1U, 1U);
  EXPECT_NE(registers().rax, registers().rbx);
}

TEST_P(Cpu, Can_use_AVX_where_the_host_has_it_without_setting_XCR0) {
  if (!on_kvm() || kvm_emulates()) {
    GTEST_SKIP() << "no AVX here";
  }
  cpu_->set_control({.cr0 = 0x80050033, .cr2 = 0, .cr3 = kPml4, .cr4 = 0x40620, .efer = 0xd01});
  // mov $1, %eax; cpuid; bt $28, %ecx; jnc 1f; xor %ecx, %ecx; xgetbv; vmovd %ebx, %xmm1; vpaddd
  // %ymm1, %ymm1, %ymm2; vmovd %xmm2, %ebx; hlt; 1: mov $7, %eax; hlt
  code({0xb8, 0x01, 0,    0,    0,    0x0f, 0xa2, 0x0f, 0xba, 0xe1, 0x1c, 0x73, 0x12,
        0x31, 0xc9, 0x0f, 0x01, 0xd0, 0xc5, 0xf9, 0x6e, 0xcb, 0xc5, 0xf5, 0xfe, 0xd1,
        0xc5, 0xf9, 0x7e, 0xd3, 0xf4, 0xb8, 0x07, 0,    0,    0,    0xf4});
  EXPECT_EQ(run().kind, ExitKind::Halt);
  EXPECT_EQ(registers().rax & 7, 7U);
}

// A guest that sets what a kernel sets, stops, and tells what it finds; a second CPU on the same
// memory goes on from its state.
TEST_P(Cpu, Another_CPU_goes_on_from_a_saved_state) {
  if (kvm_emulates()) {
    GTEST_SKIP() << "this KVM has no FLDPI, and a clock that cannot be set";
  }
  put_tables();
  // mov $24, %eax; ltr %ax; mov $16, %eax; mov %eax, %ds; mov %eax, %es; mov %eax, %ss; mov
  // $0xc0000082, %ecx; mov $0x11223344, %eax; mov $1, %edx; wrmsr; mov $0xc0000102, %ecx; mov
  // $0x55667788, %eax; xor %edx, %edx; wrmsr; mov $0xc0000100, %ecx; mov $0x16000, %eax; wrmsr;
  // fld1; fldpi; movq %rbp, %xmm0; hlt
  code({0xb8, 0x18, 0,    0,    0,    0x0f, 0,    0xd8, 0xb8, 0x10, 0,    0,    0,    0x8e, 0xd8,
        0x8e, 0xc0, 0x8e, 0xd0, 0xb9, 0x82, 0,    0,    0xc0, 0xb8, 0x44, 0x33, 0x22, 0x11, 0xba,
        0x01, 0,    0,    0,    0x0f, 0x30, 0xb9, 0x02, 0x01, 0,    0xc0, 0xb8, 0x88, 0x77, 0x66,
        0x55, 0x31, 0xd2, 0x0f, 0x30, 0xb9, 0,    0x01, 0,    0xc0, 0xb8, 0,    0x60, 0x01, 0,
        0x0f, 0x30, 0xd9, 0xe8, 0xd9, 0xeb, 0x66, 0x48, 0x0f, 0x6e, 0xc5, 0xf4});
  // sgdt (%rdi); sidt 16(%rdi); str 32(%rdi); mov %ds, 40(%rdi); mov $0xc0000082, %ecx; rdmsr;
  // fstpl 48(%rdi); fstpl 56(%rdi); movq %xmm0, %rbx; hlt
  code({0x0f, 0x01, 0x07, 0x0f, 0x01, 0x4f, 0x10, 0x0f, 0,    0x4f, 0x20,
        0x8c, 0x5f, 0x28, 0xb9, 0x82, 0,    0,    0xc0, 0x0f, 0x32, 0xdd,
        0x5f, 0x30, 0xdd, 0x5f, 0x38, 0x66, 0x48, 0x0f, 0x7e, 0xc3, 0xf4},
       kHandler);
  start_.rbp = 0x0123456789abcdef;
  EXPECT_EQ(run().kind, ExitKind::Halt);
  Result<CpuState> saved = cpu_->save();
  ASSERT_TRUE(saved) << saved.error().message;
  EXPECT_EQ(saved->gdt, (DescriptorTable{kGdt, 39}));
  EXPECT_EQ(saved->idt, (DescriptorTable{kIdt, 0x1ff}));
  EXPECT_EQ(saved->tr.selector, 24);
  EXPECT_EQ(saved->tr.base, kTask);
  EXPECT_EQ(saved->tr.limit, 0x67U);
  EXPECT_EQ(saved->tr.type, 0xb);
  EXPECT_EQ(saved->ss.selector, 16);
  EXPECT_EQ(saved->fs.base, 0x16000U);
  EXPECT_EQ(saved->system.lstar, 0x111223344U);
  EXPECT_EQ(saved->system.kernel_gs_base, 0x55667788U);

  cpu_ = make_cpu();
  saved->registers.rip = kHandler;
  saved->registers.rdi = kData;
  ASSERT_TRUE(cpu_->restore(*saved));
  EXPECT_EQ(again().kind, ExitKind::Halt);
  EXPECT_EQ(registers().rbx, 0x0123456789abcdefU);
  EXPECT_EQ(registers().rax, 0x11223344U);
  EXPECT_EQ(registers().rdx, 1U);
  EXPECT_EQ(get(kData) & 0xffff, 39U);
  EXPECT_EQ(get(kData + 2), kGdt);
  EXPECT_EQ(get(kData + 16) & 0xffff, 0x1ffU);
  EXPECT_EQ(get(kData + 18), kIdt);
  EXPECT_EQ(get(kData + 32) & 0xffff, 24U);
  EXPECT_EQ(get(kData + 40) & 0xffff, 16U);
  EXPECT_EQ(get(kData + 48), 0x400921fb54442d18U);  // pi, then 1
  EXPECT_EQ(get(kData + 56), 0x3ff0000000000000U);
}

TEST_P(Cpu, The_clock_goes_on_from_the_saved_one) {
  if (kvm_emulates()) {
    GTEST_SKIP() << "this KVM's clock cannot be set";
  }
  // rdtsc; shl $32, %rdx; or %rdx, %rax; hlt
  code({0x0f, 0x31, 0x48, 0xc1, 0xe2, 0x20, 0x48, 0x09, 0xd0, 0xf4});
  EXPECT_EQ(run().kind, ExitKind::Halt);
  Result<CpuState> saved = cpu_->save();
  ASSERT_TRUE(saved) << saved.error().message;
  EXPECT_GE(saved->tsc, registers().rax);
  // Near what it is, too: KVM ignores a counter that is written within a second of its own.
  for (const std::uint64_t then : {std::uint64_t{1'000'000'000'000}, saved->tsc / 2}) {
    saved->tsc = then;
    saved->registers.rip = kCode;
    ASSERT_TRUE(cpu_->restore(*saved));
    EXPECT_EQ(again().kind, ExitKind::Halt);
    EXPECT_GE(registers().rax, then);
    EXPECT_LT(registers().rax, then + 100'000'000'000);  // a loaded machine's half minute
    const Result<CpuState> later = cpu_->save();
    ASSERT_TRUE(later) << later.error().message;
    EXPECT_GE(later->tsc, registers().rax);
  }
}

TEST_P(Cpu, A_state_is_saved_of_a_CPU_that_ran) {
  EXPECT_EQ(cpu_->save().error().code, ErrorCode::WrongState);
  // hlt
  code({0xf4});
  EXPECT_EQ(run().kind, ExitKind::Halt);
  const Result<CpuState> saved = cpu_->save();
  EXPECT_TRUE(saved) << saved.error().message;
  cpu_->set_registers(start_);
  EXPECT_EQ(cpu_->save().error().code, ErrorCode::WrongState);
}

}  // namespace
}  // namespace runhl::vmm
