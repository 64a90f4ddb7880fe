// SPDX-License-Identifier: Apache-2.0
// The calls that a guest on KVM is made of, their order, and what each one's failure becomes; with
// a KVM that executes nothing. Guests that run: test/kvm.
#include "runhl/vmm/kvm/kvm_backend.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

#include "guest_ranges.h"
#include "kvm/recording_kvm.h"
#include "runhl/core/units.h"

namespace runhl::vmm::kvm {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::size_t open_descriptors() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

/// Mappings of the fake's page and of guest memory.
std::size_t our_mappings() {
  std::ifstream maps("/proc/self/maps");
  std::size_t count = 0;
  for (std::string line; std::getline(maps, line);) {
    count += line.find("memfd:") != std::string::npos ? 1U : 0U;
  }
  return count;
}

class KvmBackendTest : public ::testing::Test {
 protected:
  KvmBackendTest() : memory_(::memfd_create("guest", MFD_CLOEXEC)) {
    EXPECT_EQ(::ftruncate(memory_.get(), 4 * kPageSize), 0);
  }
  std::unique_ptr<Backend> create() {
    auto backend = create_backend(&kvm_);
    EXPECT_TRUE(backend) << backend.error().message;
    return backend ? std::move(*backend) : nullptr;
  }
  [[nodiscard]] SharedPart part(std::uint64_t pages, Access access = Access::ReadWrite) const {
    return {memory_.get(), 0, pages * kPageSize, access};
  }
  void then_exit(std::uint32_t reason) {
    kvm_.then([reason](kvm_run& page) {
      page.exit_reason = reason;
      return 0;
    });
  }
  /// OUTs of one instruction, of bytes counting up from 1.
  void then_out(std::uint16_t port, std::uint8_t size, std::uint32_t count = 1) {
    kvm_.then([port, size, count](kvm_run& page) {
      page.exit_reason = KVM_EXIT_IO;
      page.io.direction = KVM_EXIT_IO_OUT;
      page.io.port = port;
      page.io.size = size;
      page.io.count = count;
      page.io.data_offset = kPageSize;
      auto* const data = reinterpret_cast<unsigned char*>(&page) + kPageSize;
      for (std::uint32_t i = 0; i < size * count; ++i) {
        data[i] = static_cast<unsigned char>(i + 1);
      }
      return 0;
    });
  }

  RecordingKvm kvm_;
  UniqueFd memory_;
};

TEST_F(KvmBackendTest, A_boot_is_these_calls) {
  const auto backend = create();
  ASSERT_TRUE(backend->map(0x4000, part(2, Access::ReadOnly)));
  ASSERT_TRUE(backend->map(0x10000, part(1)));
  backend->set_control({.cr0 = 1, .cr2 = 0, .cr3 = 3, .cr4 = 4, .efer = 5});
  backend->set_registers({});
  backend->reset_fpu();
  then_out(103, 4);
  then_exit(KVM_EXIT_HLT);
  EXPECT_TRUE(backend->run());
  EXPECT_TRUE(backend->run());
  EXPECT_THAT(kvm_.calls,
              ElementsAre("open", "KVM_GET_API_VERSION", "KVM_GET_SUPPORTED_CPUID",
                          "KVM_GET_VCPU_MMAP_SIZE", "KVM_CREATE_VM", "KVM_X86_SET_MSR_FILTER",
                          "KVM_CREATE_VCPU", "KVM_SET_CPUID2", "KVM_SET_XCRS",
                          "KVM_SET_USER_MEMORY_REGION", "KVM_SET_USER_MEMORY_REGION",
                          "KVM_SET_SREGS", "KVM_SET_XSAVE", "KVM_RUN", "KVM_RUN"));
}

TEST_F(KvmBackendTest, Every_call_that_fails_is_an_error_with_its_name_and_leaks_nothing) {
  const auto whole = [this]() -> Result<void> {
    const auto backend = TRY(create_backend(&kvm_));
    TRY(backend->map(0x4000, part(1)));
    backend->set_control({});
    backend->reset_fpu();
    then_exit(KVM_EXIT_HLT);
    TRY(backend->run());
    (void)backend->control();
    then_exit(KVM_EXIT_HLT);
    TRY(backend->run());
    return {};
  };
  ASSERT_TRUE(whole());
  const std::size_t descriptors = open_descriptors(), mappings = our_mappings();
  constexpr std::array<unsigned long, 14> kRequests = {KVM_GET_API_VERSION,
                                                       KVM_CHECK_EXTENSION,
                                                       KVM_GET_SUPPORTED_CPUID,
                                                       KVM_CREATE_VM,
                                                       KVM_GET_VCPU_MMAP_SIZE,
                                                       KVM_X86_SET_MSR_FILTER,
                                                       KVM_CREATE_VCPU,
                                                       KVM_SET_CPUID2,
                                                       KVM_SET_USER_MEMORY_REGION,
                                                       KVM_SET_XCRS,
                                                       KVM_SET_SREGS,
                                                       KVM_GET_SREGS,
                                                       KVM_SET_XSAVE,
                                                       KVM_RUN};
  for (const unsigned long request : kRequests) {
    kvm_.fail(request, ENOMEM);
    const Result<void> result = whole();
    kvm_.fail(request, 0);
    ASSERT_FALSE(result) << request_name(request);
    EXPECT_EQ(result.error().code, ErrorCode::Hypervisor);
    EXPECT_EQ(result.error().os_errno, ENOMEM);
    EXPECT_EQ(result.error().message, request_name(request) + ": Cannot allocate memory");
    EXPECT_EQ(open_descriptors(), descriptors) << request_name(request);
    EXPECT_EQ(our_mappings(), mappings) << request_name(request);
  }
}

TEST_F(KvmBackendTest, A_device_that_cannot_be_opened_says_why) {
  kvm_.open_error = EACCES;
  const auto denied = create_backend(&kvm_);
  ASSERT_FALSE(denied);
  EXPECT_EQ(denied.error().code, ErrorCode::Permission);
  EXPECT_EQ(denied.error().message, "/dev/kvm: Permission denied");
  kvm_.open_error = ENOENT;
  EXPECT_EQ(create_backend(&kvm_).error().code, ErrorCode::NotFound);
}

TEST_F(KvmBackendTest, Another_version_of_the_interface_is_refused) {
  kvm_.version = 13;
  const auto backend = create_backend(&kvm_);
  ASSERT_FALSE(backend);
  EXPECT_EQ(backend.error().code, ErrorCode::Unsupported);
  EXPECT_THAT(backend.error().message, HasSubstr("version 13"));
}

TEST_F(KvmBackendTest, What_an_old_kernel_lacks_is_named) {
  for (const int capability : {KVM_CAP_USER_MEMORY, KVM_CAP_READONLY_MEM, KVM_CAP_IMMEDIATE_EXIT,
                               KVM_CAP_SYNC_REGS, KVM_CAP_XSAVE, KVM_CAP_X86_MSR_FILTER}) {
    const auto before = kvm_.capabilities;
    kvm_.capabilities[static_cast<std::uintptr_t>(capability)] = 0;
    const auto backend = create_backend(&kvm_);
    kvm_.capabilities = before;
    ASSERT_FALSE(backend);
    EXPECT_EQ(backend.error().code, ErrorCode::Unsupported);
    EXPECT_THAT(backend.error().message, HasSubstr("has no KVM_CAP_"));
  }
}

TEST_F(KvmBackendTest, Slots_are_what_was_mapped) {
  const auto backend = create();
  ASSERT_TRUE(backend->map(0x4000, part(2, Access::ReadOnly)));
  ASSERT_TRUE(backend->map(kPhysicalLimit - kPageSize, part(1)));
  ASSERT_EQ(kvm_.slots.size(), 2U);
  EXPECT_EQ(kvm_.slots[0].slot, 0U);
  EXPECT_EQ(kvm_.slots[0].flags, static_cast<std::uint32_t>(KVM_MEM_READONLY));
  EXPECT_EQ(kvm_.slots[0].guest_phys_addr, 0x4000U);
  EXPECT_EQ(kvm_.slots[0].memory_size, 2 * kPageSize);
  EXPECT_EQ(kvm_.slots[1].slot, 1U);
  EXPECT_EQ(kvm_.slots[1].flags, 0U);
}

TEST_F(KvmBackendTest, A_slot_that_KVM_refused_is_free_again) {
  const auto backend = create();
  kvm_.fail(KVM_SET_USER_MEMORY_REGION, EINVAL);
  EXPECT_FALSE(backend->map(0x4000, part(1)));
  kvm_.fail(KVM_SET_USER_MEMORY_REGION, 0);
  EXPECT_TRUE(backend->map(0x4000, part(1)));
  EXPECT_EQ(kvm_.slots.back().slot, 0U);
}

TEST_F(KvmBackendTest, The_special_registers_are_those_of_64_bit_code_without_tables) {
  const auto backend = create();
  backend->set_control({.cr0 = 0x80050033, .cr2 = 2, .cr3 = 0x1000, .cr4 = 0x620, .efer = 0xd01});
  then_exit(KVM_EXIT_HLT);
  ASSERT_TRUE(backend->run());
  EXPECT_EQ(kvm_.sregs.cr0, 0x80050033U);
  EXPECT_EQ(kvm_.sregs.cr3, 0x1000U);
  EXPECT_EQ(kvm_.sregs.efer, 0xd01U);
  EXPECT_EQ(kvm_.sregs.cs.type, 0xb);
  EXPECT_EQ(kvm_.sregs.cs.l, 1);
  EXPECT_EQ(kvm_.sregs.cs.db, 0);
  EXPECT_EQ(kvm_.sregs.tr.type, 0xb);
  EXPECT_EQ(kvm_.sregs.tr.limit, 0xffffU);
  EXPECT_EQ(kvm_.sregs.idt.limit, 0U);
  kvm_.sregs.cr3 = 0x2000;  // the guest's doing
  EXPECT_EQ(backend->control().cr3, 0x2000U);
}

TEST_F(KvmBackendTest, The_floating_point_unit_is_reset_with_its_MXCSR) {
  const auto backend = create();
  backend->reset_fpu();
  then_exit(KVM_EXIT_HLT);
  ASSERT_TRUE(backend->run());
  EXPECT_EQ(kvm_.xsave[0], 0x37fU);
  EXPECT_EQ(kvm_.xsave[6], 0x1f80U);
  EXPECT_EQ(kvm_.xsave[128], 3U);
}

TEST_F(KvmBackendTest, XCR0_starts_with_what_the_CPU_has_of_x87_SSE_and_AVX) {
  (void)create();
  EXPECT_EQ(kvm_.xcrs.nr_xcrs, 1U);
  EXPECT_EQ(kvm_.xcrs.xcrs[0].value, 7U);
  kvm_.calls.clear();
  kvm_.cpuid[0].ecx = 0;  // no XSAVE
  (void)create();
  EXPECT_THAT(kvm_.calls, ::testing::Not(::testing::Contains("KVM_SET_XCRS")));
}

TEST_F(KvmBackendTest, The_guest_is_told_of_36_bits_and_of_no_virtualisation) {
  kvm_.cpuid = {leaf(1, {0, 0x05030800, ~0U, 0}),   leaf(7, {0, 0, ~0U, ~0U}),
                leaf(7, {0, 0, ~0U, ~0U}, 1),       leaf(0xb, {0, 0, 0, 5}),
                leaf(0x40000001, {~0U, 0, 0, 0}),   leaf(0x80000001, {0, 0, ~0U, 0}),
                leaf(0x80000008, {0x392e, 0, 0, 0})};
  (void)create();
  ASSERT_EQ(kvm_.guest_cpuid.size(), kvm_.cpuid.size());
  EXPECT_EQ(kvm_.guest_cpuid[0].ecx, ~(1U << 5 | 1U << 21 | 1U << 24));
  EXPECT_EQ(kvm_.guest_cpuid[0].ebx, 0x00010800U);
  EXPECT_EQ(kvm_.guest_cpuid[1].ecx, ~(1U << 7));
  EXPECT_EQ(kvm_.guest_cpuid[1].edx, ~(1U << 20));
  EXPECT_EQ(kvm_.guest_cpuid[2].ecx, ~0U);
  EXPECT_EQ(kvm_.guest_cpuid[3].edx, 0U);
  EXPECT_EQ(kvm_.guest_cpuid[4].eax, 0U);
  EXPECT_EQ(kvm_.guest_cpuid[5].ecx, ~(1U << 2));
  EXPECT_EQ(kvm_.guest_cpuid[6].eax, 0x3924U);
}

TEST_F(KvmBackendTest, A_CPUID_table_of_any_length_is_taken) {
  kvm_.cpuid.resize(1000, leaf(0x99, {}));
  kvm_.cpuid.back().function = 0x77;
  (void)create();
  ASSERT_EQ(kvm_.guest_cpuid.size(), 1000U);
  EXPECT_EQ(kvm_.guest_cpuid.back().function, 0x77U);
  kvm_.cpuid.resize(5000);
  EXPECT_THAT(create_backend(&kvm_).error().message, HasSubstr("KVM_GET_SUPPORTED_CPUID"));
}

TEST_F(KvmBackendTest, All_MSRs_are_denied_but_those_of_the_contract) {
  (void)create();
  EXPECT_EQ(kvm_.msr_flags, static_cast<std::uint32_t>(KVM_MSR_FILTER_DEFAULT_DENY));
  const std::map<std::uint32_t, std::uint8_t> expected{
      {0x277, 1}, {0xc0000081, 0b1011}, {0xc0000100, 0b111}};
  EXPECT_EQ(kvm_.msr_ranges, expected);
}

TEST_F(KvmBackendTest, Registers_travel_in_the_page) {
  const auto backend = create();
  Registers registers;
  registers.rax = 1, registers.rsp = 2, registers.r15 = 3, registers.rip = 4;
  backend->set_registers(registers);
  kvm_regs seen{};
  kvm_.then([&seen](kvm_run& page) {
    seen = page.s.regs.regs;
    page.s.regs.regs.rdx = 5;
    page.exit_reason = KVM_EXIT_HLT;
    return 0;
  });
  ASSERT_TRUE(backend->run());
  EXPECT_EQ(seen.rax, 1U);
  EXPECT_EQ(seen.rsp, 2U);
  EXPECT_EQ(seen.r15, 3U);
  EXPECT_EQ(seen.rip, 4U);
  EXPECT_EQ(backend->registers().rdx, 5U);
  EXPECT_EQ(backend->registers().rax, 1U);
}

/// Of 64-bit code in ring 0, with a distinct value in each field that a guest can set.
CpuState some_state() {
  CpuState state;
  state.registers.rip = 0x1234;
  state.control = {0x80050033, 2, 0x3000, 0x620, 0xd01};
  state.cr8 = 3;
  state.cs = {0, 0xffffffff, 8, 0xb, 1, 0, 0, 1, 1, 1, 0, 0};
  state.fs.base = 0x1000;
  state.tr = {0x7000, 0x67, 24, 0xb, 1, 0, 0, 0, 0, 0, 0, 0};
  state.gdt = {0x5000, 39};
  state.idt = {0x6000, 0xfff};
  state.system = {1, 2, 3, 4, 5};
  state.tsc = 1'000'000;
  state.fpu[160] = std::byte{0x5a};  // XMM0
  return state;
}

class KvmStateTest : public KvmBackendTest {
 protected:
  KvmStateTest() {
    kvm_.msrs = {{0x277, 0}, {0xc0000081, 0}, {0xc0000082, 0}, {0xc0000084, 0}, {0xc0000102, 0}};
  }
  Result<CpuExit> restore_and_run(Backend* backend, const CpuState& state) {
    TRY(backend->restore(state));
    then_exit(KVM_EXIT_HLT);
    return backend->run();
  }
};

TEST_F(KvmStateTest, What_was_restored_is_what_is_saved) {
  const auto backend = create();
  const CpuState state = some_state();
  ASSERT_TRUE(restore_and_run(backend.get(), state));
  const Result<CpuState> saved = backend->save();
  ASSERT_TRUE(saved) << saved.error().message;
  EXPECT_EQ(saved->registers.rip, state.registers.rip);
  EXPECT_EQ(saved->control.cr3, state.control.cr3);
  EXPECT_EQ(saved->cr8, state.cr8);
  EXPECT_EQ(saved->cs, state.cs);
  EXPECT_EQ(saved->fs, state.fs);
  EXPECT_EQ(saved->tr, state.tr);
  EXPECT_EQ(saved->gdt, state.gdt);
  EXPECT_EQ(saved->idt, state.idt);
  EXPECT_EQ(saved->system, state.system);
  EXPECT_EQ(saved->fpu, state.fpu);
  EXPECT_EQ(saved->xcr0, 1U);  // as CR4 hides it from the guest
  EXPECT_EQ(saved->tsc, state.tsc);
}

TEST_F(KvmStateTest, The_clock_is_set_by_its_offset) {
  const auto backend = create();
  ASSERT_TRUE(restore_and_run(backend.get(), some_state()));
  EXPECT_EQ(kvm_.tsc_offset, 1'000'000 - RecordingKvm::kHostTsc);
}

TEST_F(KvmStateTest, A_clock_that_does_not_follow_is_an_error) {
  kvm_.tsc_follows = false;
  const auto backend = create();
  const Result<CpuExit> exit = restore_and_run(backend.get(), some_state());
  ASSERT_FALSE(exit);
  EXPECT_THAT(exit.error().message, HasSubstr("clock"));
}

TEST_F(KvmStateTest, A_guest_with_AVX_gets_its_XCR0_back) {
  const auto backend = create();
  CpuState state = some_state();
  state.control.cr4 |= 1U << 18;
  state.xcr0 = 3;
  ASSERT_TRUE(restore_and_run(backend.get(), state));
  EXPECT_EQ(kvm_.xcrs.xcrs[0].value, 3U);
  EXPECT_EQ(backend->save()->xcr0, 3U);
}

TEST_F(KvmStateTest, A_state_that_this_CPU_cannot_be_is_refused) {
  const auto backend = create();
  CpuState state = some_state();
  state.xcr0 = 1U << 20;
  EXPECT_EQ(backend->restore(state).error().code, ErrorCode::InvalidArgument);
  state = some_state();
  state.cs.dpl = 3;
  EXPECT_EQ(backend->restore(state).error().code, ErrorCode::InvalidArgument);
}

TEST_F(KvmStateTest, A_state_is_saved_of_a_CPU_that_ran) {
  const auto backend = create();
  EXPECT_EQ(backend->save().error().code, ErrorCode::WrongState);
  ASSERT_TRUE(restore_and_run(backend.get(), some_state()));
  EXPECT_TRUE(backend->save());
  backend->set_registers({});
  EXPECT_EQ(backend->save().error().code, ErrorCode::WrongState);
}

TEST_F(KvmStateTest, An_OUT_is_finished_before_the_state_is_saved) {
  const auto backend = create();
  then_out(0x6c, 1);
  ASSERT_TRUE(backend->run());
  kvm_.calls.clear();
  ASSERT_TRUE(backend->save());
  EXPECT_EQ(kvm_.calls.front(), "KVM_RUN");
}

TEST_F(KvmStateTest, Every_call_that_fails_is_an_error_with_its_name) {
  constexpr std::array<unsigned long, 3> kSaving = {KVM_GET_SREGS, KVM_GET_XSAVE, KVM_GET_MSRS};
  constexpr std::array<unsigned long, 7> kLoading = {
      KVM_SET_SREGS,       KVM_SET_XCRS, KVM_SET_XSAVE,      KVM_SET_MSRS,
      KVM_GET_DEVICE_ATTR, KVM_GET_MSRS, KVM_SET_DEVICE_ATTR};
  CpuState state = some_state();
  state.control.cr4 |= 1U << 18;
  for (const unsigned long request : kLoading) {
    const auto backend = create();
    kvm_.fail(request, ENXIO);
    const Result<CpuExit> exit = restore_and_run(backend.get(), state);
    kvm_.fail(request, 0);
    ASSERT_FALSE(exit) << request_name(request);
    EXPECT_THAT(exit.error().message, HasSubstr(request_name(request) + ": No such device"));
  }
  for (const unsigned long request : kSaving) {
    const auto backend = create();
    then_exit(KVM_EXIT_HLT);
    (void)backend->run();
    kvm_.fail(request, ENXIO);
    const Result<CpuState> saved = backend->save();
    kvm_.fail(request, 0);
    ASSERT_FALSE(saved) << request_name(request);
    EXPECT_THAT(saved.error().message, HasSubstr(request_name(request) + ": No such device"));
  }
}

TEST_F(KvmStateTest, A_register_that_KVM_refuses_is_named) {
  kvm_.msrs.erase(0xc0000084);
  const auto backend = create();
  const Result<CpuExit> exit = restore_and_run(backend.get(), some_state());
  ASSERT_FALSE(exit);
  EXPECT_THAT(exit.error().message, HasSubstr("register 3221225604"));
}

TEST_F(KvmBackendTest, An_OUT_tells_port_size_and_value) {
  const auto backend = create();
  then_out(0x6c, 2);
  const CpuExit exit = *backend->run();
  EXPECT_EQ(exit.kind, ExitKind::Out);
  EXPECT_EQ(exit.port, 0x6c);
  EXPECT_EQ(exit.size, 2);
  EXPECT_EQ(exit.value, 0x0201U);
}

TEST_F(KvmBackendTest, An_OUT_is_finished_before_its_registers_are_seen_or_replaced) {
  const auto backend = create();
  then_out(0x6c, 1);
  ASSERT_TRUE(backend->run());
  kvm_.calls.clear();
  (void)backend->registers();
  (void)backend->registers();
  EXPECT_THAT(kvm_.calls, ElementsAre("KVM_RUN"));  // which left at once
  then_out(0x6c, 1);
  ASSERT_TRUE(backend->run());
  kvm_.calls.clear();
  backend->set_registers({});
  EXPECT_THAT(kvm_.calls, ElementsAre("KVM_RUN"));
  then_out(0x6c, 1);
  then_exit(KVM_EXIT_HLT);
  ASSERT_TRUE(backend->run());
  kvm_.calls.clear();
  ASSERT_TRUE(backend->run());  // and no call of its own where nobody looks
  EXPECT_THAT(kvm_.calls, ElementsAre("KVM_RUN"));
}

TEST_F(KvmBackendTest, An_instruction_of_several_accesses_is_finished_within_bounds) {
  const auto backend = create();
  const auto access = [](kvm_run& page) {
    page.exit_reason = KVM_EXIT_MMIO;
    return 0;
  };
  kvm_.then(access);
  ASSERT_EQ(backend->run()->kind, ExitKind::Memory);
  kvm_.parts = 3;
  backend->set_registers({});
  EXPECT_EQ(kvm_.parts, 0);
  kvm_.then(access);
  ASSERT_EQ(backend->run()->kind, ExitKind::Memory);
  kvm_.parts = 1'000'000;
  backend->set_registers({});
  EXPECT_THAT(backend->run().error().message, HasSubstr("does not come to its end"));
}

TEST_F(KvmBackendTest, Each_OUT_of_a_repeated_one_comes_out) {
  const auto backend = create();
  then_out(0x6c, 2, 3);
  then_exit(KVM_EXIT_HLT);
  EXPECT_EQ(backend->run()->value, 0x0201U);
  EXPECT_EQ(backend->run()->value, 0x0403U);
  EXPECT_EQ(backend->run()->value, 0x0605U);
  EXPECT_EQ(backend->run()->kind, ExitKind::Halt);
}

TEST_F(KvmBackendTest, Exits_are_told_apart) {
  const auto backend = create();
  kvm_.then([](kvm_run& page) {
    page.exit_reason = KVM_EXIT_IO;
    page.io.direction = KVM_EXIT_IO_IN;
    page.io.port = 0x60;
    page.io.size = 1;
    page.io.count = 1;
    page.io.data_offset = kPageSize;
    return 0;
  });
  const CpuExit in = *backend->run();
  EXPECT_EQ(in.kind, ExitKind::In);
  EXPECT_EQ(in.port, 0x60);
  then_exit(KVM_EXIT_SHUTDOWN);
  EXPECT_EQ(backend->run()->kind, ExitKind::Shutdown);
  for (const bool write : {true, false}) {
    kvm_.then([write](kvm_run& page) {
      page.exit_reason = KVM_EXIT_MMIO;
      page.mmio.is_write = write ? 1 : 0;
      return 0;
    });
    const CpuExit exit = *backend->run();
    EXPECT_EQ(exit.kind, ExitKind::Memory);
    EXPECT_EQ(exit.write, write);
  }
}

TEST_F(KvmBackendTest, What_KVM_cannot_go_on_with_is_an_error_in_words) {
  const std::array<std::pair<RecordingKvm::Run, const char*>, 5> all{{
      {[](kvm_run& page) {
         page.exit_reason = KVM_EXIT_INTERNAL_ERROR;
         page.internal.suberror = KVM_INTERNAL_ERROR_EMULATION;
         return 0;
       },
       "cannot execute"},
      {[](kvm_run& page) {
         page.exit_reason = KVM_EXIT_INTERNAL_ERROR;
         page.internal.suberror = KVM_INTERNAL_ERROR_DELIVERY_EV;
         return 0;
       },
       "cannot be delivered"},
      {[](kvm_run& page) {
         page.exit_reason = KVM_EXIT_FAIL_ENTRY;
         page.fail_entry.hardware_entry_failure_reason = 33;
         return 0;
       },
       "reason 33"},
      {[](kvm_run& page) {
         page.exit_reason = KVM_EXIT_HYPERV;
         return 0;
       },
       "exit 27"},
      {[](kvm_run& page) {
         page.exit_reason = KVM_EXIT_IO;
         page.io.size = 4;
         page.io.data_offset = RecordingKvm::kRunSize - 2;
         return 0;
       },
       "outside"},
  }};
  for (const auto& [run, words] : all) {
    const auto backend = create();
    kvm_.then(run);
    const Result<CpuExit> exit = backend->run();
    ASSERT_FALSE(exit) << words;
    EXPECT_EQ(exit.error().code, ErrorCode::Hypervisor);
    EXPECT_THAT(exit.error().message, HasSubstr(words));
  }
}

TEST_F(KvmBackendTest, An_interrupted_run_goes_on) {
  const auto backend = create();
  kvm_.then([](kvm_run&) { return -EINTR; });
  kvm_.then([](kvm_run&) { return -EAGAIN; });
  then_exit(KVM_EXIT_HLT);
  EXPECT_EQ(backend->run()->kind, ExitKind::Halt);
}

TEST_F(KvmBackendTest, A_kick_before_a_run_ends_it_once) {
  const auto backend = create();
  backend->kick();
  kvm_.calls.clear();
  EXPECT_EQ(backend->run()->kind, ExitKind::Stopped);
  EXPECT_THAT(kvm_.calls, IsEmpty());
  then_exit(KVM_EXIT_HLT);
  EXPECT_EQ(backend->run()->kind, ExitKind::Halt);
}

TEST_F(KvmBackendTest, A_kick_makes_KVM_leave_and_signals_the_thread_that_runs) {
  const auto backend = create();
  kvm_.then([&backend](kvm_run& page) {
    std::jthread([&backend] { backend->kick(); }).join();
    EXPECT_EQ(page.immediate_exit, 1);
    return -EINTR;
  });
  EXPECT_EQ(backend->run()->kind, ExitKind::Stopped);
  then_exit(KVM_EXIT_HLT);
  EXPECT_EQ(backend->run()->kind, ExitKind::Halt);
}

TEST_F(KvmBackendTest, A_kick_interrupts_a_call_that_sleeps) {
  const auto backend = create();
  kvm_.then([&backend](kvm_run&) {
    sigset_t all{}, before{};
    (void)::sigfillset(&all);
    (void)::pthread_sigmask(SIG_BLOCK, &all, &before);  // the signal waits for the sleep
    const std::jthread kicker([&backend] { backend->kick(); });
    const timespec forever{100, 0};
    const int result = ::ppoll(nullptr, 0, &forever, &before) == 0 ? 0 : -errno;
    (void)::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return result;
  });
  EXPECT_EQ(backend->run()->kind, ExitKind::Stopped);
}

TEST_F(KvmBackendTest, A_kick_while_a_repeated_OUT_comes_out_is_not_lost) {
  const auto backend = create();
  then_out(0x6c, 1, 2);
  ASSERT_EQ(backend->run()->value, 1U);
  backend->kick();
  EXPECT_EQ(backend->run()->kind, ExitKind::Stopped);
  EXPECT_EQ(backend->run()->value, 2U);
}

}  // namespace
}  // namespace runhl::vmm::kvm
