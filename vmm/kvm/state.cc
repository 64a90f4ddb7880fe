// SPDX-License-Identifier: Apache-2.0
#include "kvm/state.h"

#include <array>
#include <cstddef>
#include <cstring>
#include <string>

#include "runhl/vmm/kvm/kvm_abi.h"

namespace runhl::vmm::kvm {
namespace {

// Intel SDM vol. 1, 13.4: the header behind the legacy area of XSAVE.
constexpr std::size_t kXsaveStateBv = 512;
constexpr std::uint64_t kX87AndSse = 3;
constexpr std::uint64_t kOsxsave = 1ULL << 18;  // of CR4

// A second of any processor: what may pass between setting the counter and reading it back.
constexpr std::uint64_t kTscSlack = 10'000'000'000;

/// kvm_msrs with its entries.
template <std::size_t N>
struct Msrs {
  std::uint32_t count = N, pad = 0;
  std::array<kvm_msr_entry, N> entries{};
};

template <std::size_t N>
Result<void> transfer(KvmCalls* kvm, const UniqueFd& vcpu, unsigned long request, Msrs<N>* msrs) {
  static_assert(offsetof(Msrs<N>, entries) == sizeof(kvm_msrs));
  const auto done = static_cast<std::size_t>(TRY(control(kvm, vcpu, request, msrs)));
  if (done < N) {
    return fail(ErrorCode::Hypervisor, request_name(request) + ": register " +
                                           std::to_string(msrs->entries[done].index) +
                                           " is refused");
  }
  return {};
}

Segment from_kvm(const kvm_segment& it) {
  return {it.base, it.limit, it.selector, it.type, it.present, it.dpl,
          it.db,   it.s,     it.l,        it.g,    it.avl,     it.unusable};
}

kvm_segment to_kvm(const Segment& it) {
  kvm_segment segment{};
  segment.base = it.base;
  segment.limit = it.limit;
  segment.selector = it.selector;
  segment.type = it.type;
  segment.present = it.present;
  segment.dpl = it.dpl;
  segment.db = it.db;
  segment.s = it.s;
  segment.l = it.l;
  segment.g = it.g;
  segment.avl = it.avl;
  segment.unusable = it.unusable;
  return segment;
}

kvm_dtable to_kvm(const DescriptorTable& it) {
  kvm_dtable table{};
  table.base = it.base;
  table.limit = it.limit;
  return table;
}

void take_special(const kvm_sregs& sregs, CpuState* state) {
  state->control = {sregs.cr0, sregs.cr2, sregs.cr3, sregs.cr4, sregs.efer};
  state->cr8 = sregs.cr8;
  state->apic_base = sregs.apic_base;
  state->cs = from_kvm(sregs.cs);
  state->ds = from_kvm(sregs.ds);
  state->es = from_kvm(sregs.es);
  state->fs = from_kvm(sregs.fs);
  state->gs = from_kvm(sregs.gs);
  state->ss = from_kvm(sregs.ss);
  state->tr = from_kvm(sregs.tr);
  state->ldt = from_kvm(sregs.ldt);
  state->gdt = {sregs.gdt.base, sregs.gdt.limit};
  state->idt = {sregs.idt.base, sregs.idt.limit};
}

kvm_sregs special_of(const CpuState& state) {
  kvm_sregs sregs{};
  sregs.cr0 = state.control.cr0;
  sregs.cr2 = state.control.cr2;
  sregs.cr3 = state.control.cr3;
  sregs.cr4 = state.control.cr4;
  sregs.cr8 = state.cr8;
  sregs.efer = state.control.efer;
  sregs.apic_base = state.apic_base;
  sregs.cs = to_kvm(state.cs);
  sregs.ds = to_kvm(state.ds);
  sregs.es = to_kvm(state.es);
  sregs.fs = to_kvm(state.fs);
  sregs.gs = to_kvm(state.gs);
  sregs.ss = to_kvm(state.ss);
  sregs.tr = to_kvm(state.tr);
  sregs.ldt = to_kvm(state.ldt);
  sregs.gdt = to_kvm(state.gdt);
  sregs.idt = to_kvm(state.idt);
  return sregs;
}

Result<std::uint64_t> tsc(KvmCalls* kvm, const UniqueFd& vcpu) {
  Msrs<1> msrs;
  msrs.entries[0].index = kMsrTsc;
  TRY(transfer(kvm, vcpu, KVM_GET_MSRS, &msrs));
  return msrs.entries[0].data;
}

/// By its distance from the host's counter. (KVM takes a value near the one it expects, written to
/// the MSR, for an attempt to synchronise, and ignores it.)
Result<void> set_tsc(KvmCalls* kvm, const UniqueFd& vcpu, std::uint64_t value) {
  std::uint64_t offset = 0;
  kvm_device_attr attribute{};
  attribute.group = KVM_VCPU_TSC_CTRL;
  attribute.attr = KVM_VCPU_TSC_OFFSET;
  attribute.addr = reinterpret_cast<std::uintptr_t>(&offset);
  TRY(control(kvm, vcpu, KVM_GET_DEVICE_ATTR, &attribute));
  offset += value - TRY(tsc(kvm, vcpu));
  TRY(control(kvm, vcpu, KVM_SET_DEVICE_ATTR, &attribute));
  if (const std::uint64_t now = TRY(tsc(kvm, vcpu)); now - value > kTscSlack) {
    return fail(ErrorCode::Hypervisor, "KVM_VCPU_TSC_OFFSET: the guest's clock does not follow");
  }
  return {};
}

}  // namespace

Result<void> set_xcr0(KvmCalls* kvm, const UniqueFd& vcpu, std::uint64_t value) {
  kvm_xcrs xcrs{};
  xcrs.nr_xcrs = 1;
  xcrs.xcrs[0].value = value;
  TRY(control(kvm, vcpu, KVM_SET_XCRS, &xcrs));
  return {};
}

Result<void> set_fpu(KvmCalls* kvm, const UniqueFd& vcpu, const FxsaveImage& image) {
  kvm_xsave xsave{};
  auto* const area = reinterpret_cast<std::byte*>(xsave.region);
  std::memcpy(area, image.data(), image.size());
  std::memcpy(area + kXsaveStateBv, &kX87AndSse, sizeof kX87AndSse);
  TRY(control(kvm, vcpu, KVM_SET_XSAVE, &xsave));
  return {};
}

Result<void> save_state(KvmCalls* kvm, const UniqueFd& vcpu, CpuState* state) {
  kvm_sregs sregs{};
  TRY(control(kvm, vcpu, KVM_GET_SREGS, &sregs));
  take_special(sregs, state);
  state->xcr0 = 1;
  if ((sregs.cr4 & kOsxsave) != 0) {  // else it is ours: the guest has never seen it
    kvm_xcrs xcrs{};
    TRY(control(kvm, vcpu, KVM_GET_XCRS, &xcrs));
    state->xcr0 = xcrs.xcrs[0].value;
  }
  kvm_xsave xsave{};
  TRY(control(kvm, vcpu, KVM_GET_XSAVE, &xsave));
  std::memcpy(state->fpu.data(), xsave.region, state->fpu.size());
  Msrs<6> msrs;
  constexpr std::array kIndexes = {kMsrStar,         kMsrLstar, kMsrFmask,
                                   kMsrKernelGsBase, kMsrPat,   kMsrTsc};
  for (std::size_t i = 0; i < kIndexes.size(); ++i) {
    msrs.entries[i].index = kIndexes[i];
  }
  TRY(transfer(kvm, vcpu, KVM_GET_MSRS, &msrs));
  const auto& values = msrs.entries;
  state->system = {values[0].data, values[1].data, values[2].data, values[3].data, values[4].data};
  state->tsc = values[5].data;
  return {};
}

Result<void> load_state(KvmCalls* kvm, const UniqueFd& vcpu, const CpuState& state) {
  kvm_sregs sregs = special_of(state);
  TRY(control(kvm, vcpu, KVM_SET_SREGS, &sregs));
  if ((state.control.cr4 & kOsxsave) != 0) {
    TRY(set_xcr0(kvm, vcpu, state.xcr0));
  }
  TRY(set_fpu(kvm, vcpu, state.fpu));
  Msrs<5> msrs;
  const std::array<std::pair<std::uint32_t, std::uint64_t>, 5> values{
      {{kMsrStar, state.system.star},
       {kMsrLstar, state.system.lstar},
       {kMsrFmask, state.system.fmask},
       {kMsrKernelGsBase, state.system.kernel_gs_base},
       {kMsrPat, state.system.pat}}};
  for (std::size_t i = 0; i < values.size(); ++i) {
    msrs.entries[i].index = values[i].first;
    msrs.entries[i].data = values[i].second;
  }
  TRY(transfer(kvm, vcpu, KVM_SET_MSRS, &msrs));
  return set_tsc(kvm, vcpu, state.tsc);
}

}  // namespace runhl::vmm::kvm
