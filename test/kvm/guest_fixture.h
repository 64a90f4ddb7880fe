// SPDX-License-Identifier: Apache-2.0
// Guests of a few hand-assembled instructions, on every backend that this host has: the software
// CPU and KVM. Where KVM only emulates a guest's kernel what its emulator lacks
// is skipped by name.
//
//   TEST_P(Exits, Halt_comes_out) {
//     code({0xf4});
//     EXPECT_EQ(run().kind, ExitKind::Halt);
//   }
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>

#include "runhl/base/unique_fd.h"
#include "runhl/core/units.h"
#include "runhl/vmm/backend.h"

namespace runhl::vmm {

// The guest's memory, mapped 1:1 by one page of 2 MiB, and one page that it may only read.
inline constexpr std::uint64_t kBase = 0x10000, kSize = 0x10000;
inline constexpr std::uint64_t kPml4 = 0x10000, kPdpt = 0x11000, kDirectory = 0x12000,
                               kCode = 0x13000, kStackTop = 0x15000, kTables = 0x15000,
                               kHandler = 0x16000, kStubs = 0x17000, kData = 0x18000,
                               kReadOnly = 0x40000, kNothing = 0x80000;
inline constexpr std::uint64_t kGdt = kTables, kIdt = kTables + 0x100,
                               kGdtPointer = kTables + 0x800, kIdtPointer = kTables + 0x810,
                               kTask = kTables + 0x900;
inline constexpr std::uint64_t kCodeSelector = 8, kDataSelector = 16, kTaskSelector = 24;

enum class Kind : std::uint8_t { Emulated, Kvm };

class GuestTest : public ::testing::TestWithParam<Kind> {
 protected:
  GuestTest();
  void SetUp() override;

  static bool on_kvm() { return GetParam() == Kind::Kvm; }
  /// KVM, but no processor behind it.
  static bool kvm_emulates();
  /// The host's processor is QEMU's, as in machine.sh.
  static bool host_is_qemu();
  /// A backend with the guest's memory; control registers as at a kernel's entry.
  std::unique_ptr<Backend> make_cpu();

  void put(std::uint64_t at, std::uint64_t value);
  [[nodiscard]] std::uint64_t get(std::uint64_t at) const;
  void code(std::initializer_list<unsigned char> bytes, std::uint64_t at = kCode);
  void put_page_tables();
  /// A GDT, and an IDT whose every handler halts with the vector in RAX, what lies on its stack in
  /// RBX, CR2 in RCX. The code at kCode - 6, where start_ points then, loads them.
  void put_tables();

  /// From start_.
  CpuExit run();
  CpuExit again();
  [[nodiscard]] const Registers& registers() const { return cpu_->registers(); }

  UniqueFd fd_;
  Mapping memory_;
  std::unique_ptr<Backend> cpu_;
  Registers start_;
};

std::string name_of_kind(const ::testing::TestParamInfo<Kind>& kind);

}  // namespace runhl::vmm

#define RUNHL_ON_EVERY_BACKEND(suite)                                                      \
  INSTANTIATE_TEST_SUITE_P(                                                                \
      On, suite, ::testing::Values(::runhl::vmm::Kind::Emulated, ::runhl::vmm::Kind::Kvm), \
      ::runhl::vmm::name_of_kind)
