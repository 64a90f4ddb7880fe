// SPDX-License-Identifier: Apache-2.0
#include "kvm/cpuid_entries.h"

#include <asm/kvm_para.h>

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "guest_ranges.h"

namespace runhl::vmm::kvm {
namespace {

// Intel SDM vol. 2A, CPUID; AMD APM vol. 3, E.
constexpr std::uint32_t kLeafFeatures = 1, kLeafMoreFeatures = 7, kLeafTopology = 0xb,
                        kLeafState = 0xd, kLeafTopologyV2 = 0x1f, kLeafExtended = 0x8000'0001,
                        kLeafAddresses = 0x8000'0008;
constexpr std::uint32_t kVmx = 1U << 5, kX2apic = 1U << 21, kDeadlineTimer = 1U << 24,
                        kXsave = 1U << 26;                   // leaf 1, ECX
constexpr std::uint32_t kShadowStacks = 1U << 7;             // leaf 7, ECX
constexpr std::uint32_t kIndirectBranchTracking = 1U << 20;  // leaf 7, EDX
constexpr std::uint32_t kSvm = 1U << 2;                      // leaf 0x80000001, ECX
constexpr std::uint32_t kApicIdMask = 0xff00'0000, kCountMask = 0x00ff'0000, kOneCpu = 0x0001'0000;
constexpr std::uint32_t kPhysicalBitsMask = 0xff;
constexpr std::uint64_t kXcr0Bits = 7;  // x87, SSE, AVX

constexpr std::size_t kFirstCount = 128, kMostEntries = 4096;

/// kvm_cpuid2 with its entries behind it.
class Table {
 public:
  explicit Table(std::size_t count)
      : bytes_(sizeof(kvm_cpuid2) + count * sizeof(kvm_cpuid_entry2)) {
    header()->nent = static_cast<std::uint32_t>(count);
  }
  // SAFETY: the vector's memory is aligned for any type and holds the header and `nent` entries.
  kvm_cpuid2* header() { return reinterpret_cast<kvm_cpuid2*>(bytes_.data()); }
  std::byte* entries() { return bytes_.data() + sizeof(kvm_cpuid2); }

 private:
  std::vector<std::byte> bytes_;
};

void adapt(kvm_cpuid_entry2* entry) {
  switch (entry->function) {
    case kLeafFeatures:
      entry->ecx &= ~(kVmx | kX2apic | kDeadlineTimer);
      entry->ebx = (entry->ebx & ~(kApicIdMask | kCountMask)) | kOneCpu;
      break;
    case kLeafMoreFeatures:
      if (entry->index == 0) {
        entry->ecx &= ~kShadowStacks;
        entry->edx &= ~kIndirectBranchTracking;
      }
      break;
    case kLeafTopology:
    case kLeafTopologyV2:
      entry->edx = 0;  // the host CPU's number, on which KVM happened to be asked
      break;
    case kLeafExtended:
      entry->ecx &= ~kSvm;
      break;
    case kLeafAddresses:
      entry->eax = (entry->eax & ~kPhysicalBitsMask) | kPhysicalBits;
      break;
    case KVM_CPUID_FEATURES:
      entry->eax = entry->edx = 0;  // they work by MSRs, which the filter denies
      break;
    default:
      break;
  }
}

}  // namespace

Result<CpuidEntries> supported_cpuid(KvmCalls* kvm, const UniqueFd& device) {
  for (std::size_t count = kFirstCount;; count *= 2) {
    Table table(count);
    const Result<int> got = control(kvm, device, KVM_GET_SUPPORTED_CPUID, table.header());
    if (!got && got.error().os_errno == E2BIG && count < kMostEntries) {
      continue;
    }
    TRY(got);
    CpuidEntries entries(std::min<std::size_t>(table.header()->nent, count));
    std::memcpy(entries.data(), table.entries(), entries.size() * sizeof(kvm_cpuid_entry2));
    return entries;
  }
}

Result<void> set_cpuid(KvmCalls* kvm, const UniqueFd& vcpu, const CpuidEntries& entries) {
  Table table(entries.size());
  std::memcpy(table.entries(), entries.data(), entries.size() * sizeof(kvm_cpuid_entry2));
  TRY(control(kvm, vcpu, KVM_SET_CPUID2, table.header()));
  return {};
}

const kvm_cpuid_entry2* find_leaf(const CpuidEntries& entries, std::uint32_t leaf,
                                  std::uint32_t index) {
  const auto found = std::find_if(entries.begin(), entries.end(), [&](const auto& entry) {
    return entry.function == leaf && entry.index == index;
  });
  return found == entries.end() ? nullptr : &*found;
}

CpuidEntries cpuid_for_guest(CpuidEntries entries) {
  std::for_each(entries.begin(), entries.end(), [](auto& entry) { adapt(&entry); });
  return entries;
}

std::uint64_t possible_xcr0(const CpuidEntries& entries) {
  const auto* const features = find_leaf(entries, kLeafFeatures);
  const auto* const state = find_leaf(entries, kLeafState);
  if (features == nullptr || state == nullptr || (features->ecx & kXsave) == 0) {
    return 0;
  }
  return state->eax | std::uint64_t{state->edx} << 32;
}

std::uint64_t initial_xcr0(const CpuidEntries& entries) {
  return possible_xcr0(entries) & kXcr0Bits;
}

}  // namespace runhl::vmm::kvm
