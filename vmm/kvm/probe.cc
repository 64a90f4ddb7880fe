// SPDX-License-Identifier: Apache-2.0
#include "runhl/vmm/kvm/probe.h"

#include <cpuid.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <ctime>
#include <utility>

#include "kvm/cpuid_entries.h"
#include "kvm/vcpu.h"
#include "kvm/vm.h"
#include "runhl/base/alarm.h"
#include "runhl/core/units.h"

namespace runhl::vmm::kvm {
namespace {

constexpr std::uint32_t kSse3 = 1U << 0, kXsave = 1U << 26, kAvx = 1U << 28;  // leaf 1, ECX

// The loop's memory, mapped 1:1 by one page of 2 MiB.
constexpr std::uint64_t kBase = 0x1000, kPml4 = 0x1000, kPdpt = 0x2000, kDirectory = 0x3000,
                        kCode = 0x4000, kSize = 4 * kPageSize;
constexpr std::uint64_t kTable = 0b11, kLargePage = 0b1000'0011;  // present, writable; large
constexpr ControlRegisters kControl = {0x8005'0033, 0, kPml4, 0x620, 0xd01};
constexpr std::uint16_t kPort = 0x6c;

// 20 000 instructions: some 10 µs of a processor, 20 ms of an emulator in the kernel.
constexpr std::array<std::uint8_t, 11> kLoop = {0xb9, 0x10, 0x27, 0, 0,  // mov $10000, %ecx
                                                0xff, 0xc9,              // 1: dec %ecx
                                                0x75, 0xfc,              // jnz 1b
                                                0xe6, kPort};            // out %al, $kPort
constexpr double kMostMs = 2;
constexpr int kTries = 3;
constexpr std::chrono::milliseconds kPatience{500};  // for all tries

double thread_cpu_ms() {
  timespec now{};
  (void)::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);  // cannot fail
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

Result<UniqueFd> loop_memory() {
  std::array<std::byte, kSize> bytes{};
  const auto put = [&bytes](std::uint64_t at, std::uint64_t value) {
    std::memcpy(bytes.data() + (at - kBase), &value, sizeof value);
  };
  put(kPml4, kPdpt | kTable);
  put(kPdpt, kDirectory | kTable);
  put(kDirectory, kLargePage);
  std::memcpy(bytes.data() + (kCode - kBase), kLoop.data(), kLoop.size());
  UniqueFd fd(::memfd_create("runhl-kvm-probe", MFD_CLOEXEC));
  if (!fd || ::pwrite(fd.get(), bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(kSize)) {
    return fail_errno("memory for a probe of KVM");
  }
  return fd;
}

/// The best time in ms; negative: the alarm was first.
Result<double> time_of_loop(Vm* vm) {
  const UniqueFd memory = TRY(loop_memory());
  TRY(vm->map(kBase, {memory.get(), 0, kSize, Access::ReadWrite}));
  const auto vcpu = TRY(Vcpu::create(*vm));
  vcpu->set_control(kControl);
  const Alarm alarm(kPatience, [&vcpu] { vcpu->kick(); });
  double best = -1;
  for (int i = 0; i < kTries; ++i) {
    Registers registers;
    registers.rip = kCode;
    vcpu->set_registers(registers);
    const double before = thread_cpu_ms();
    const CpuExit exit = TRY(vcpu->run());
    const double took = thread_cpu_ms() - before;
    if (exit.kind == ExitKind::Stopped) {
      return best;
    }
    if (exit.kind != ExitKind::Out || exit.port != kPort) {
      return fail(ErrorCode::Hypervisor, "a loop did not come to its end");
    }
    best = best < 0 ? took : std::min(best, took);
  }
  return best;
}

/// What the processor has and KVM keeps back; empty: nothing.
std::string kept_back(const CpuidEntries& supported, const HostCpu& host) {
  const auto* const features = find_leaf(supported, 1);
  const std::uint32_t has = features == nullptr ? 0 : features->ecx;
  std::string missing;
  const auto check = [&](bool there, std::uint32_t bit, const char* name) {
    if (there && (has & bit) == 0) {
      missing += missing.empty() ? name : std::string(", ") + name;
    }
  };
  check(host.sse3, kSse3, "SSE3");
  check(host.avx, kAvx, "AVX");
  check(host.xsave, kXsave, "XSAVE");
  return missing;
}

std::string as_microseconds(double ms) {
  return std::to_string(static_cast<long>(ms * 1000)) + " us";
}

Probe failed(const Error& error) {
  switch (error.code) {
    case ErrorCode::Permission:
      return {Finding::Denied, error.message};
    case ErrorCode::NotFound:
    case ErrorCode::Unsupported:
      return {Finding::Absent, error.message};
    default:  // ENXIO, ENODEV: a device node without a driver
      return {error.code == ErrorCode::Io ? Finding::Absent : Finding::Failed, error.message};
  }
}

}  // namespace

std::string_view to_string(Finding finding) {
  switch (finding) {
    case Finding::Hardware:
      return "hardware";
    case Finding::Absent:
      return "absent";
    case Finding::Denied:
      return "denied";
    case Finding::Emulating:
      return "emulating";
    case Finding::Slow:
      return "slow";
    case Finding::Failed:
      return "failed";
    case Finding::NoAnswer:
      break;
  }
  return "no answer";
}

HostCpu host_cpu() {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  if (__get_cpuid(1, &eax, &ebx, &ecx, &edx) == 0) {
    return {};
  }
  return {(ecx & kSse3) != 0, (ecx & kAvx) != 0, (ecx & kXsave) != 0};
}

Probe probe(KvmCalls* kvm, const HostCpu& host) {
  Result<Vm> vm = Vm::create(kvm);
  if (!vm) {
    return failed(vm.error());
  }
  if (const std::string missing = kept_back(vm->supported(), host); !missing.empty()) {
    return {Finding::Emulating, std::string(kDevicePath) + " emulates: it offers no " + missing +
                                    ", which the processor has"};
  }
  const Result<double> ms = time_of_loop(&*vm);
  if (!ms) {
    return {Finding::Failed, ms.error().message};
  }
  if (*ms < 0) {
    return {Finding::NoAnswer, std::string(kDevicePath) + " gave no answer within " +
                                   std::to_string(kPatience.count()) + " ms"};
  }
  const std::string took = "a loop of 20000 instructions took " + as_microseconds(*ms);
  if (*ms > kMostMs) {
    return {Finding::Slow, std::string(kDevicePath) + " emulates: " + took};
  }
  return {Finding::Hardware, took};
}

}  // namespace runhl::vmm::kvm
