// SPDX-License-Identifier: Apache-2.0
#include "guest_fixture.h"

#include <cpuid.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "runhl/vmm/emu/emulated_backend.h"
#include "runhl/vmm/kvm/kvm_backend.h"
#include "runhl/vmm/kvm/probe.h"

namespace runhl::vmm {
namespace {

constexpr std::uint64_t kVectors = 32;
constexpr std::uint64_t kStubSize = 16;

const kvm::Probe& host_kvm() {
  static const kvm::Probe found = [] {
    constexpr int kTries = 10;  // of a machine that is busy, which is no answer
    kvm::Probe probe;
    for (int i = 0; i < kTries && !probe.is_final(); ++i) {
      probe = kvm::probe(&kvm::linux_kvm(), kvm::host_cpu());
    }
    return probe;
  }();
  return found;
}

/// None: this host has none of this kind.
Result<std::unique_ptr<Backend>> backend(Kind kind) {
  return kind == Kind::Kvm ? kvm::create_backend() : emu::create_backend(RUNHL_EMU_PATH);
}

}  // namespace

GuestTest::GuestTest() : fd_(::memfd_create("guest", MFD_CLOEXEC)) {
  start_.rip = kCode;
  start_.rsp = kStackTop;
}

bool GuestTest::kvm_emulates() {
  return on_kvm() && !host_kvm().usable();
}

bool GuestTest::host_is_qemu() {
  constexpr unsigned kHypervisorLeaf = 0x4000'0000;
  unsigned eax = 0;
  std::array<unsigned, 3> name{};
  __cpuid(kHypervisorLeaf, eax, name[0], name[1], name[2]);
  return std::memcmp(name.data(), "TCGTCGTCGTCG", sizeof name) == 0;
}

void GuestTest::SetUp() {
  if (on_kvm() &&
      (host_kvm().finding == kvm::Finding::Absent || host_kvm().finding == kvm::Finding::Denied)) {
    GTEST_SKIP() << "no KVM: " << host_kvm().reason;
  }
  if (!on_kvm() && ::access(RUNHL_EMU_PATH, X_OK) != 0) {
    GTEST_SKIP() << "runhl-emu is not built here";
  }
  ASSERT_EQ(::ftruncate(fd_.get(), kSize + kPageSize), 0);
  void* const at = ::mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_SHARED, fd_.get(), 0);
  ASSERT_NE(at, MAP_FAILED);
  memory_ = Mapping({static_cast<std::byte*>(at), kSize});
  put_page_tables();
  cpu_ = make_cpu();
}

std::unique_ptr<Backend> GuestTest::make_cpu() {
  auto cpu = backend(GetParam());
  if (!cpu) {
    ADD_FAILURE() << cpu.error().message;
    return nullptr;
  }
  EXPECT_TRUE((*cpu)->map(kBase, {fd_.get(), 0, kSize, Access::ReadWrite}));
  EXPECT_TRUE((*cpu)->map(kReadOnly, {fd_.get(), kSize, kPageSize, Access::ReadOnly}));
  (*cpu)->set_control({.cr0 = 0x80050033, .cr2 = 0, .cr3 = kPml4, .cr4 = 0x620, .efer = 0xd01});
  return std::move(*cpu);
}

void GuestTest::put(std::uint64_t at, std::uint64_t value) {
  std::memcpy(memory_.bytes().subspan(at - kBase, sizeof value).data(), &value, sizeof value);
}

std::uint64_t GuestTest::get(std::uint64_t at) const {
  std::uint64_t value = 0;
  std::memcpy(&value, memory_.bytes().subspan(at - kBase, sizeof value).data(), sizeof value);
  return value;
}

void GuestTest::put_page_tables() {
  for (const std::uint64_t table : {kPml4, kPdpt, kDirectory}) {
    put(table + 8, 0);
  }
  put(kPml4, kPdpt | 3);
  put(kPdpt, kDirectory | 3);
  put(kDirectory, 0x83);  // 2 MiB from 0, writable
}

void GuestTest::code(std::initializer_list<unsigned char> bytes, std::uint64_t at) {
  std::copy(bytes.begin(), bytes.end(),
            reinterpret_cast<unsigned char*>(memory_.bytes().subspan(at - kBase).data()));
}

void GuestTest::put_tables() {
  put(kGdt + kCodeSelector, 0x00af9b000000ffff);
  put(kGdt + kDataSelector, 0x00cf93000000ffff);
  put(kGdt + kTaskSelector, 0x0000890000000067 | (kTask & 0xffffff) << 16);
  put(kGdt + kTaskSelector + 8, 0);
  put(kGdtPointer, 39 | kGdt << 16);
  put(kIdtPointer, (kVectors * 16 - 1) | kIdt << 16);
  for (std::uint64_t vector = 0; vector < kVectors; ++vector) {
    const std::uint64_t stub = kStubs + vector * kStubSize;
    put(kIdt + vector * 16,
        (stub & 0xffff) | kCodeSelector << 16 | 0x8e00ULL << 32 | (stub >> 16 << 48));
    put(kIdt + vector * 16 + 8, 0);
    code({0xb8, static_cast<unsigned char>(vector), 0, 0, 0,  // mov $vector, %eax
          0x48, 0x8b, 0x1c, 0x24,                             // mov (%rsp), %rbx
          0x0f, 0x20, 0xd1,                                   // mov %cr2, %rcx
          0xf4},                                              // hlt
         stub);
  }
  code({0x0f, 0x01, 0x17, 0x0f, 0x01, 0x1e}, kCode - 6);  // lgdt (%rdi); lidt (%rsi)
  start_.rip = kCode - 6;
  start_.rdi = kGdtPointer;
  start_.rsi = kIdtPointer;
}

CpuExit GuestTest::run() {
  cpu_->set_registers(start_);
  return again();
}

CpuExit GuestTest::again() {
  const Result<CpuExit> exit = cpu_->run();
  EXPECT_TRUE(exit) << exit.error().message;
  return exit ? *exit : CpuExit{};
}

std::string name_of_kind(const ::testing::TestParamInfo<Kind>& kind) {
  return kind.param == Kind::Kvm ? "kvm" : "emulated";
}

}  // namespace runhl::vmm
