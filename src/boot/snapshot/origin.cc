// SPDX-License-Identifier: Apache-2.0
#include "boot/snapshot/origin.h"

#include <cpuid.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <string>
#include <utility>

#include "runhl/base/file_io.h"
#include "runhl/base/one_line.h"
#include "runhl/blobs/sha256.h"
#include "runhl/vmm/hyperlight/contract.h"
#include "runhl/vmm/hyperlight/signatures.h"
#include "runhl/vmm/hyperlight/tsc_rate.h"

namespace runhl::boot {
namespace {

using vmm::hyperlight::Generation;
using vmm::hyperlight::Signature;

// The model that runhl-emu's engine is.
constexpr const char* kSoftwareVendor = "GenuineIntel";
constexpr const char* kSoftwareCpu = "software, x86-64-v2";

constexpr std::size_t kKeyDigits = 16;
constexpr std::uint64_t kRateTolerance = 100;  // the hundredth part

struct Leaf {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
};

Leaf cpuid(unsigned number) {
  Leaf leaf;
  (void)__get_cpuid_count(number, 0, &leaf.eax, &leaf.ebx, &leaf.ecx, &leaf.edx);
  return leaf;
}

std::string vendor() {
  const Leaf leaf = cpuid(0);
  std::array<char, 12> text{};
  std::memcpy(text.data(), &leaf.ebx, 4);
  std::memcpy(text.data() + 4, &leaf.edx, 4);
  std::memcpy(text.data() + 8, &leaf.ecx, 4);
  return {text.data(), text.size()};
}

/// Model and features: what guests decide by when they boot.
std::string model() {
  const Leaf first = cpuid(1), features = cpuid(7);
  constexpr unsigned kOsXsave = 1U << 27U;  // the host's kernel's, not the CPU's
  std::array<char, 64> text{};
  (void)std::snprintf(text.data(), text.size(), "%08x-%08x-%08x-%08x-%08x-%08x", first.eax,
                      first.ecx & ~kOsXsave, first.edx, features.ebx, features.ecx, features.edx);
  return text.data();
}

tl::unexpected<Error> other(const std::string& what, const std::string& its,
                            const std::string& here) {
  return fail(ErrorCode::InvalidArgument,
              "taken with " + what + " " + one_line(its) + ", and here it is " + one_line(here));
}

Result<void> check_functions(const StoredSnapshot& stored, Generation generation) {
  const auto known =
      vmm::hyperlight::host_function_signatures(generation, {.files = true, .network = true});
  for (const Signature& function : stored.config.functions) {
    if (std::find(known.begin(), known.end(), function) == known.end()) {
      return fail(ErrorCode::InvalidArgument, "its guest relies on the host function " +
                                                  one_line(function.name) +
                                                  ", which there is not, or not with these types");
    }
  }
  return {};
}

}  // namespace

SnapshotHost host_here(Cpu cpu) {
  return cpu == Cpu::Hardware ? SnapshotHost{"kvm", vendor()}
                              : SnapshotHost{"emulated", kSoftwareVendor};
}

Result<SnapshotOrigin> origin_here(std::span<const std::byte> kernel, Cpu cpu) {
  SnapshotOrigin origin;
  origin.kernel = oci::digest_of(as_text(kernel)).hex();
  origin.key = "k" + origin.kernel.substr(0, kKeyDigits) + "-c" +
               std::to_string(TRY(vmm::hyperlight::contract_of(kernel)));
  origin.cpu = cpu == Cpu::Hardware ? model() : kSoftwareCpu;
  origin.tsc_hz = vmm::hyperlight::measure_tsc_hz(std::chrono::milliseconds(2));
  return origin;
}

Result<void> check_goes_on_here(const StoredSnapshot& stored, const SnapshotHost& host,
                                const SnapshotOrigin& here) {
  const SnapshotOrigin& its = stored.origin;
  if (its.key != here.key || (!its.kernel.empty() && its.kernel != here.kernel)) {
    return other("kernel", its.key, here.key);
  }
  if (stored.config.host != host) {
    return other("CPU", stored.config.host.hypervisor + " " + stored.config.host.cpu_vendor,
                 host.hypervisor + " " + host.cpu_vendor);
  }
  if (!its.cpu.empty() && its.cpu != here.cpu) {
    return other("CPU model", its.cpu, here.cpu);
  }
  const std::uint64_t difference =
      std::max(its.tsc_hz, here.tsc_hz) - std::min(its.tsc_hz, here.tsc_hz);
  if (its.tsc_hz != 0 && difference > here.tsc_hz / kRateTolerance) {
    return other("a clock of Hz", std::to_string(its.tsc_hz), std::to_string(here.tsc_hz));
  }
  return check_functions(stored,
                         stored.config.snapshot.has_queues != 0 ? Generation::G3 : Generation::G2);
}

Result<void> check_goes_on_here(const StoredSnapshot& oldest) {
  return check_functions(oldest, Generation::G1);
}

}  // namespace runhl::boot
