// SPDX-License-Identifier: Apache-2.0
// Exceptions go to the guest's own handlers, and what a hostile guest does ends it, not us: every
// run comes back.
#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <stop_token>
#include <thread>

#include "guest_fixture.h"

namespace runhl::vmm {
namespace {

class Faults : public GuestTest {
 protected:
  /// Runs kCode with tables; the vector that was raised, or 256.
  std::uint64_t vector_of_run() {
    const CpuExit exit = run();
    EXPECT_EQ(exit.kind, ExitKind::Halt);
    return exit.kind == ExitKind::Halt ? registers().rax : 256;
  }
};
RUNHL_ON_EVERY_BACKEND(Faults);

TEST_P(Faults, Division_by_zero) {
  put_tables();
  // xor %ecx, %ecx; div %ecx
  code({0x31, 0xc9, 0xf7, 0xf1});
  EXPECT_EQ(vector_of_run(), 0U);
  EXPECT_EQ(registers().rbx, kCode + 2);  // at the instruction
}

TEST_P(Faults, A_breakpoint) {
  if (kvm_emulates()) {
    GTEST_SKIP() << "this KVM has no INT3";
  }
  put_tables();
  // int3
  code({0xcc});
  EXPECT_EQ(vector_of_run(), 3U);
  EXPECT_EQ(registers().rbx, kCode + 1);  // behind it
}

TEST_P(Faults, An_undefined_instruction) {
  put_tables();
  // ud2
  code({0x0f, 0x0b});
  EXPECT_EQ(vector_of_run(), 6U);
}

TEST_P(Faults, An_address_that_is_none) {
  put_tables();
  // mov $0x8000000000000000, %rbx; mov (%rbx), %rax
  code({0x48, 0xbb, 0, 0, 0, 0, 0, 0, 0, 0x80, 0x48, 0x8b, 0x03});
  EXPECT_EQ(vector_of_run(), 13U);
  EXPECT_EQ(registers().rbx, 0U);
}

TEST_P(Faults, A_selector_that_is_none) {
  put_tables();
  // mov $0x1230, %eax; mov %eax, %ds
  code({0xb8, 0x30, 0x12, 0, 0, 0x8e, 0xd8});
  EXPECT_EQ(vector_of_run(), 13U);
  EXPECT_EQ(registers().rbx, 0x1230U);
}

TEST_P(Faults, A_page_that_is_not_mapped) {
  put_tables();
  // mov $0x123456789000, %rbx; mov %rax, (%rbx)
  code({0x48, 0xbb, 0, 0x90, 0x78, 0x56, 0x34, 0x12, 0, 0, 0x48, 0x89, 0x03});
  EXPECT_EQ(vector_of_run(), 14U);
  EXPECT_EQ(registers().rcx, 0x123456789000U);
  EXPECT_EQ(registers().rbx, 2U);  // a write to what is not present
}

TEST_P(Faults, A_page_that_may_not_be_written) {
  put(kDirectory + 8, 0x81);  // 2 MiB again, read-only
  put_tables();
  // mov $0x218000, %ebx; mov (%rbx), %rax; mov %rax, (%rbx)
  code({0xbb, 0, 0x80, 0x21, 0, 0x48, 0x8b, 0x03, 0x48, 0x89, 0x03});
  EXPECT_EQ(vector_of_run(), 14U);
  EXPECT_EQ(registers().rbx, 3U);
}

TEST_P(Faults, A_page_that_may_not_be_executed) {
  put(kDirectory + 8, 0x8000000000000083);
  put_tables();
  // mov $0x213000, %ebx; jmp *%rbx
  code({0xbb, 0, 0x30, 0x21, 0, 0xff, 0xe3});
  EXPECT_EQ(vector_of_run(), 14U);
  EXPECT_EQ(registers().rbx & ~4U, 0x11U);
  EXPECT_EQ(registers().rcx, 0x213000U);
}

TEST_P(Faults, Tables_that_the_guest_changes) {
  put_tables();
  put(kDirectory + 8, 0x83);
  // mov $0x218000, %ebx; mov (%rbx), %rax; movq $0, 0x12008; invlpg (%rbx); mov (%rbx), %rax
  code({0xbb, 0,    0x80, 0x21, 0, 0x48, 0x8b, 0x03, 0x48, 0xc7, 0x04, 0x25, 0x08,
        0x20, 0x01, 0,    0,    0, 0,    0,    0x0f, 0x01, 0x3b, 0x48, 0x8b, 0x03});
  EXPECT_EQ(vector_of_run(), 14U);
  EXPECT_EQ(registers().rcx, 0x218000U);
}

TEST_P(Faults, A_fault_within_a_fault_is_a_double_fault) {
  if (on_kvm() && host_is_qemu()) {
    GTEST_SKIP() << "QEMU's SVM raises the second fault alone";
  }
  put_tables();
  put(kIdt + 14 * 16, 0);  // no handler for page faults
  // mov $0x123456789000, %rbx; mov (%rbx), %rax
  code({0x48, 0xbb, 0, 0x90, 0x78, 0x56, 0x34, 0x12, 0, 0, 0x48, 0x8b, 0x03});
  EXPECT_EQ(vector_of_run(), 8U);
}

TEST_P(Faults, Code_that_changes_itself_is_what_runs) {
  if (on_kvm() && host_is_qemu()) {
    GTEST_SKIP() << "QEMU's SVM does not see it within a page";
  }
  // movb $0x42, 1f+1(%rip); 1: mov $1, %al; mov %al, %bl; hlt
  code({0xc6, 0x05, 0x01, 0, 0, 0, 0x42, 0xb0, 0x01, 0x88, 0xc3, 0xf4});
  EXPECT_EQ(run().kind, ExitKind::Halt);
  EXPECT_EQ(registers().rbx & 0xff, 0x42U);
}

/// What ends a guest may be an exit or an error, but it comes, at once or when it is kicked; and
/// the next guest knows nothing of it.
class Hostile : public GuestTest {
 protected:
  void TearDown() override {
    if (cpu_ != nullptr) {
      cpu_ = make_cpu();
      put_page_tables();
      code({0xf4});
      start_ = {};
      start_.rip = kCode;
      EXPECT_EQ(run().kind, ExitKind::Halt);
    }
  }
  void comes_back() {
    std::mutex mutex;
    std::condition_variable_any changed;
    std::jthread kicker([&](const std::stop_token& ended) {
      std::unique_lock lock(mutex);
      while (!ended.stop_requested()) {
        (void)changed.wait_for(lock, ended, std::chrono::milliseconds(50), [] { return false; });
        cpu_->kick();
      }
    });
    cpu_->set_registers(start_);
    for (int i = 0; i < 1000; ++i) {
      const Result<CpuExit> exit = cpu_->run();
      if (!exit || exit->kind != ExitKind::Out) {
        return;
      }
    }
  }
};
RUNHL_ON_EVERY_BACKEND(Hostile);

TEST_P(Hostile, Tables_of_pages_that_are_not_there) {
  cpu_->set_control({.cr0 = 0x80050033, .cr2 = 0, .cr3 = 0xfffff000, .cr4 = 0x620, .efer = 0xd01});
  // hlt
  code({0xf4});
  comes_back();
}

TEST_P(Hostile, A_page_table_that_is_its_own) {
  put(kPml4 + 8, kPml4 | 3);
  // mov $0x8040201000, %rbx; movq $0, (%rbx); mov %cr3, %rax; mov %rax, %cr3; mov (%rbx), %rax; hlt
  code({0x48, 0xbb, 0, 0x10, 0x20, 0x40, 0x80, 0,    0,    0,    0x48, 0xc7, 0x03, 0,
        0,    0,    0, 0x0f, 0x20, 0xd8, 0x0f, 0x22, 0xd8, 0x48, 0x8b, 0x03, 0xf4});
  comes_back();
}

TEST_P(Hostile, A_jump_to_nothing) {
  // jmp *%rbx
  code({0xff, 0xe3});
  start_.rbx = kNothing;
  comes_back();
}

TEST_P(Hostile, A_handler_that_faults_for_ever) {
  put_tables();
  put(kIdt + 6 * 16,
      (kHandler & 0xffff) | kCodeSelector << 16 | 0x8e00ULL << 32 | kHandler >> 16 << 48);
  // mov $0x15000, %esp; ud2
  code({0xbc, 0, 0x50, 0x01, 0, 0x0f, 0x0b}, kHandler);
  // ud2
  code({0x0f, 0x0b});
  comes_back();
}

TEST_P(Hostile, A_stack_where_nothing_is) {
  put_tables();
  // mov $0x80000, %esp; ud2
  code({0xbc, 0, 0, 0x08, 0, 0x0f, 0x0b});
  comes_back();
}

TEST_P(Hostile, A_stack_that_cannot_be_written) {
  put_tables();
  // mov $0x40800, %esp; ud2
  code({0xbc, 0, 0x08, 0x04, 0, 0x0f, 0x0b});
  comes_back();
}

TEST_P(Hostile, Descriptor_tables_where_nothing_is) {
  // lgdt (%rdi); lidt (%rsi); int3
  code({0x0f, 0x01, 0x17, 0x0f, 0x01, 0x1e, 0xcc});
  put(kGdtPointer, 0xffff | kNothing << 16);
  put(kIdtPointer, 0xffff | kNothing << 16);
  start_.rdi = kGdtPointer;
  start_.rsi = kIdtPointer;
  comes_back();
}

TEST_P(Hostile, Control_registers_with_bits_that_there_are_not) {
  for (const std::uint64_t cr4 : {~0ULL, 0x2620ULL /* VMXE */, 0ULL}) {
    // mov %rax, %cr4; hlt
    code({0x0f, 0x22, 0xe0, 0xf4});
    start_.rax = cr4;
    comes_back();
  }
}

TEST_P(Hostile, Paging_that_is_switched_off) {
  // mov %cr0, %rax; and $0x7fffffff, %eax; mov %rax, %cr0; hlt
  code({0x0f, 0x20, 0xc0, 0x25, 0xff, 0xff, 0xff, 0x7f, 0x0f, 0x22, 0xc0, 0xf4});
  comes_back();
}

TEST_P(Hostile, Modes_that_nobody_uses_any_more) {
  put_tables();
  put(kGdt + kDataSelector, 0x00cf9b000000ffff);  // 32-bit code
  // push $16; push $0x16000; lretq
  code({0x6a, 0x10, 0x68, 0, 0x60, 0x01, 0, 0x48, 0xcb});
  code({0x0f, 0x0b}, kHandler);
  comes_back();
}

TEST_P(Hostile, Copies_that_run_out_of_memory) {
  // mov $0x1f000, %edi; mov $-1, %rcx; rep stosb
  code({0xbf, 0, 0xf0, 0x01, 0, 0x48, 0xc7, 0xc1, 0xff, 0xff, 0xff, 0xff, 0xf3, 0xaa});
  comes_back();
  // mov $0x41000, %edi; mov $0x41000, %esi; mov $-1, %rcx; std; rep movsb
  code({0xbf, 0,    0x10, 0x04, 0,    0xbe, 0,    0x10, 0x04, 0,
        0x48, 0xc7, 0xc1, 0xff, 0xff, 0xff, 0xff, 0xfd, 0xf3, 0xa4});
  comes_back();
}

TEST_P(Hostile, A_flood_of_ports) {
  // 1: out %eax, %dx; inc %edx; jmp 1b
  code({0xef, 0xff, 0xc2, 0xeb, 0xfb});
  comes_back();
}

TEST_P(Hostile, Instructions_of_a_hypervisor) {
  for (const unsigned last : {0xc1U, 0xd9U, 0xd8U, 0xdaU, 0xdeU, 0xc2U}) {  // VMCALL, VMMCALL …
    code({0x0f, 0x01, static_cast<unsigned char>(last), 0xf4});
    comes_back();
  }
}

TEST_P(Hostile, A_clock_that_is_asked_for_ever) {
  // 1: rdtsc; cpuid; jmp 1b
  code({0x0f, 0x31, 0x0f, 0xa2, 0xeb, 0xfa});
  comes_back();
}

}  // namespace
}  // namespace runhl::vmm
