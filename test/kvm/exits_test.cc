// SPDX-License-Identifier: Apache-2.0
// Every way in which a run can end, and what the CPU is like then.
#include <gtest/gtest.h>

#include <string>
#include <thread>

#include "guest_fixture.h"

namespace runhl::vmm {
namespace {

class Exits : public GuestTest {};
RUNHL_ON_EVERY_BACKEND(Exits);

TEST_P(Exits, Out_tells_port_size_and_value_and_goes_on_behind_it) {
  // mov $0x11223344, %eax; out %eax, $0x6d; mov $0x58, %al; out %al, $0x67; hlt
  code({0xb8, 0x44, 0x33, 0x22, 0x11, 0xe7, 0x6d, 0xb0, 0x58, 0xe6, 0x67, 0xf4});
  CpuExit exit = run();
  EXPECT_EQ(exit.kind, ExitKind::Out);
  EXPECT_EQ(exit.port, 0x6d);
  EXPECT_EQ(exit.size, 4);
  EXPECT_EQ(exit.value, 0x11223344U);
  EXPECT_EQ(registers().rip, kCode + 7);
  exit = again();
  EXPECT_EQ(exit.kind, ExitKind::Out);
  EXPECT_EQ(exit.port, 0x67);
  EXPECT_EQ(exit.size, 1);
  EXPECT_EQ(exit.value, 0x58U);
  EXPECT_EQ(again().kind, ExitKind::Halt);
  EXPECT_EQ(registers().rip, kCode + 12);
}

TEST_P(Exits, Every_port_number_arrives) {
  // 1: out %ax, %dx; add $0x5555, %dx; jmp 1b
  code({0x66, 0xef, 0x66, 0x81, 0xc2, 0x55, 0x55, 0xeb, 0xf7});
  start_.rax = 0xffff1234;
  for (const unsigned port : {0x0000U, 0x5555U, 0xaaaaU, 0xffffU}) {
    const CpuExit exit = port == 0 ? run() : again();
    EXPECT_EQ(exit.kind, ExitKind::Out);
    EXPECT_EQ(exit.port, port);
    EXPECT_EQ(exit.size, 2);
    EXPECT_EQ(exit.value, 0x1234U);
  }
}

TEST_P(Exits, Out_can_be_answered_by_other_registers) {
  // out %al, $0x6c; hlt
  code({0xe6, 0x6c, 0xf4});
  // mov $7, %ebx; hlt
  code({0xbb, 0x07, 0, 0, 0, 0xf4}, kHandler);
  EXPECT_EQ(run().kind, ExitKind::Out);
  Registers other = registers();
  other.rip = kHandler;
  cpu_->set_registers(other);
  EXPECT_EQ(again().kind, ExitKind::Halt);
  EXPECT_EQ(registers().rbx, 7U);
  EXPECT_EQ(run().kind, ExitKind::Out);
  cpu_->set_registers(start_);  // the very same instruction again
  EXPECT_EQ(again().kind, ExitKind::Out);
}

TEST_P(Exits, A_repeated_out_comes_out_one_by_one) {
  if (!on_kvm()) {
    GTEST_SKIP() << "the engine tells of no OUTS";
  }
  // rep outsb; hlt
  code({0xf3, 0x6e, 0xf4});
  put(kData, 0x030201);
  start_.rsi = kData;
  start_.rcx = 3;
  start_.rdx = 0x67;
  for (std::uint32_t value = 1; value <= 3; ++value) {
    const CpuExit exit = value == 1 ? run() : again();
    EXPECT_EQ(exit.kind, ExitKind::Out);
    EXPECT_EQ(exit.value, value);
  }
  EXPECT_EQ(again().kind, ExitKind::Halt);
}

TEST_P(Exits, In_ends_the_run) {
  // in $0x60, %al; hlt
  code({0xe4, 0x60, 0xf4});
  const CpuExit exit = run();
  EXPECT_EQ(exit.kind, ExitKind::In);
  EXPECT_EQ(exit.port, 0x60);
  EXPECT_EQ(exit.size, 1);
}

TEST_P(Exits, Registers_go_in_and_come_back) {
  // add %rbx, %rax; xchg %r8, %r15; hlt
  code({0x48, 0x01, 0xd8, 0x4d, 0x87, 0xc7, 0xf4});
  start_.rax = 0x1111222233334444;
  start_.rbx = 0x0101010101010101;
  start_.rcx = 3, start_.rdx = 4, start_.rsi = 5, start_.rdi = 6, start_.rbp = 7;
  start_.r8 = 8, start_.r9 = 9, start_.r10 = 10, start_.r11 = 11;
  start_.r12 = 12, start_.r13 = 13, start_.r14 = 14, start_.r15 = 0xfffffffffffff000;
  EXPECT_EQ(run().kind, ExitKind::Halt);
  const Registers& seen = registers();
  EXPECT_EQ(seen.rax, 0x1212232334344545U);
  EXPECT_EQ(seen.rbx, 0x0101010101010101U);
  EXPECT_EQ(seen.rcx, 3U);
  EXPECT_EQ(seen.rdx, 4U);
  EXPECT_EQ(seen.rsi, 5U);
  EXPECT_EQ(seen.rdi, 6U);
  EXPECT_EQ(seen.rbp, 7U);
  EXPECT_EQ(seen.rsp, kStackTop);
  EXPECT_EQ(seen.r8, 0xfffffffffffff000U);
  EXPECT_EQ(seen.r9, 9U);
  EXPECT_EQ(seen.r10, 10U);
  EXPECT_EQ(seen.r11, 11U);
  EXPECT_EQ(seen.r12, 12U);
  EXPECT_EQ(seen.r13, 13U);
  EXPECT_EQ(seen.r14, 14U);
  EXPECT_EQ(seen.r15, 8U);
  EXPECT_EQ(cpu_->control().cr3, kPml4);
  EXPECT_EQ(cpu_->control().efer & 0xd01U, 0xd01U);
}

TEST_P(Exits, Stores_are_seen_by_the_host_and_its_stores_by_the_guest) {
  // mov %rax, (%rbx); hlt; mov (%rbx), %rax; hlt
  code({0x48, 0x89, 0x03, 0xf4, 0x48, 0x8b, 0x03, 0xf4});
  start_.rax = 42;
  start_.rbx = kData;
  EXPECT_EQ(run().kind, ExitKind::Halt);
  EXPECT_EQ(get(kData), 42U);
  put(kData, 43);
  EXPECT_EQ(again().kind, ExitKind::Halt);
  EXPECT_EQ(registers().rax, 43U);
}

TEST_P(Exits, A_store_into_read_only_memory_ends_the_run) {
  // mov (%rbx), %rax; mov %rax, (%rbx); hlt
  code({0x48, 0x8b, 0x03, 0x48, 0x89, 0x03, 0xf4});  // reading works
  start_.rbx = kReadOnly;
  const CpuExit exit = run();
  EXPECT_EQ(exit.kind, ExitKind::Memory);
  EXPECT_TRUE(exit.write);
}

TEST_P(Exits, Access_to_nothing_ends_the_run) {
  // mov (%rbx), %rax; hlt
  code({0x48, 0x8b, 0x03, 0xf4});
  // mov %rax, (%rbx); hlt
  code({0x48, 0x89, 0x03, 0xf4}, kHandler);
  start_.rbx = kNothing;
  CpuExit exit = run();
  EXPECT_EQ(exit.kind, ExitKind::Memory);
  EXPECT_FALSE(exit.write);
  start_.rip = kHandler;
  exit = run();
  EXPECT_EQ(exit.kind, ExitKind::Memory);
  EXPECT_TRUE(exit.write);
}

TEST_P(Exits, A_fault_without_handlers_is_a_shutdown) {
  // ud2
  code({0x0f, 0x0b});
  EXPECT_EQ(run().kind, ExitKind::Shutdown);
}

TEST_P(Exits, A_kick_ends_a_guest_that_never_leaves) {
  // 1: jmp 1b
  code({0xeb, 0xfe});
  std::jthread kicker([this] { cpu_->kick(); });
  EXPECT_EQ(run().kind, ExitKind::Stopped);
  EXPECT_EQ(registers().rip, kCode);
}

TEST_P(Exits, A_kick_ends_a_guest_that_floods_a_port) {
  // 1: out %al, $0x67; jmp 1b
  code({0xe6, 0x67, 0xeb, 0xfc});
  std::jthread kicker([this] { cpu_->kick(); });
  CpuExit exit = run();
  while (exit.kind == ExitKind::Out) {
    exit = again();
  }
  EXPECT_EQ(exit.kind, ExitKind::Stopped);
}

TEST_P(Exits, After_a_kick_the_guest_can_go_on) {
  // 1: jmp 1b
  code({0xeb, 0xfe});
  cpu_->kick();  // before the run: it is not lost
  EXPECT_EQ(run().kind, ExitKind::Stopped);
  start_.rip = kHandler;
  // hlt
  code({0xf4}, kHandler);
  EXPECT_EQ(run().kind, ExitKind::Halt);
}

TEST_P(Exits, Memory_can_lie_at_the_end_of_the_address_space) {
  constexpr std::uint64_t kLast = (1ULL << 36) - kPageSize;
  ASSERT_TRUE(cpu_->map(kLast, {fd_.get(), kData - kBase, kPageSize, Access::ReadWrite}));
  put(kDirectory + 8, 0xfffe00000 | 0x83);  // at 2 MiB, the last 2 MiB of physical memory
  // mov %rax, (%rbx); hlt
  code({0x48, 0x89, 0x03, 0xf4});
  start_.rax = 42;
  start_.rbx = 0x400000 - 8;
  EXPECT_EQ(run().kind, ExitKind::Halt);
  EXPECT_EQ(get(kData + kPageSize - 8), 42U);
}

TEST_P(Exits, Refuses_memory_that_overlaps_or_is_not_whole_pages) {
  const auto map = [this](std::uint64_t at, std::uint64_t offset, std::uint64_t size) {
    return cpu_->map(at, {fd_.get(), offset, size, Access::ReadOnly}).has_value();
  };
  EXPECT_FALSE(map(kBase + kPageSize, 0, kPageSize));
  EXPECT_FALSE(map(kBase - kPageSize, 0, 2 * kPageSize));
  EXPECT_FALSE(map(kNothing + 1, 0, kPageSize));
  EXPECT_FALSE(map(kNothing, 1, kPageSize));
  EXPECT_FALSE(map(kNothing, 0, 0));
  EXPECT_FALSE(map(kNothing, 0, 100));
  EXPECT_FALSE(map(1ULL << 36, 0, kPageSize));
  EXPECT_FALSE(map(0 - kPageSize, 0, kPageSize));
  EXPECT_TRUE(map(kNothing, 0, kPageSize));
}

}  // namespace
}  // namespace runhl::vmm
