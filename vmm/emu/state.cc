// SPDX-License-Identifier: Apache-2.0
#include "emu/state.h"

#include <cstring>

namespace runhl::vmm::emu {
namespace {

constexpr std::uint64_t kX87Alone = 1;  // of XCR0

constexpr std::uint8_t kBusy = 2;                       // of a task's type
constexpr std::uint8_t kCodeType = 0xb, kDataType = 3;  // read, written or executed; accessed

Segment flat(std::uint32_t selector, std::uint8_t type) {
  Segment segment;
  segment.selector = static_cast<std::uint16_t>(selector);
  segment.limit = 0xffff'ffff;
  segment.type = type;
  segment.present = segment.s = segment.g = 1;
  segment.l = type == kCodeType ? 1 : 0;
  segment.db = type == kCodeType ? 0 : 1;
  return segment;
}

/// A null selector is a segment of zeros, as at the first entry.
Segment data_segment(std::uint32_t selector) {
  return selector == 0 ? Segment{} : flat(selector, kDataType);
}

Segment based(std::uint64_t base) {
  Segment segment;
  segment.base = base;
  return segment;
}

// `flags` of a system segment are bits 8 to 23 of its descriptor's second word.
constexpr unsigned kType = 8, kS = 12, kDpl = 13, kPresent = 15, kAvl = 20, kL = 21, kDb = 22,
                   kG = 23;

std::uint32_t flags_of(const Segment& segment) {
  const auto at = [](unsigned value, unsigned mask, unsigned bit) { return (value & mask) << bit; };
  return at(segment.type, 15, kType) | at(segment.s, 1, kS) | at(segment.dpl, 3, kDpl) |
         at(segment.present, 1, kPresent) | at(segment.avl, 1, kAvl) | at(segment.l, 1, kL) |
         at(segment.db, 1, kDb) | at(segment.g, 1, kG);
}

runhl_emu_system_segment to_page(const Segment& segment) {
  return {segment.base, segment.limit, flags_of(segment), segment.selector};
}

Segment from_page(const runhl_emu_system_segment& it) {
  const auto bits = [&it](unsigned mask, unsigned bit) {
    return static_cast<std::uint8_t>(it.flags >> bit & mask);
  };
  Segment segment;
  segment.base = it.base;
  segment.limit = it.limit;
  segment.selector = static_cast<std::uint16_t>(it.selector);
  segment.type = bits(15, kType);
  segment.s = bits(1, kS);
  segment.dpl = bits(3, kDpl);
  segment.present = bits(1, kPresent);
  segment.avl = bits(1, kAvl);
  segment.l = bits(1, kL);
  segment.db = bits(1, kDb);
  segment.g = bits(1, kG);
  return segment;
}

DescriptorTable from_page(const runhl_emu_table& table) {
  return {table.base, static_cast<std::uint16_t>(table.limit)};
}

}  // namespace

Result<runhl_emu_state> to_page(const CpuState& state) {
  if (!is_ring_0_of_64_bits(state)) {
    return fail(ErrorCode::InvalidArgument, "a CPU's state that is not of 64-bit mode and ring 0");
  }
  if (state.xcr0 != kX87Alone) {
    return fail(ErrorCode::InvalidArgument, "a CPU's state with registers of AVX");
  }
  runhl_emu_state page{};
  page.cs = state.cs.selector;
  page.ss = state.ss.selector;
  page.ds = state.ds.selector;
  page.es = state.es.selector;
  page.fs_base = state.fs.base;
  page.gs_base = state.gs.base;
  page.gdt = {state.gdt.base, state.gdt.limit};
  page.idt = {state.idt.base, state.idt.limit};
  page.task = to_page(state.tr);
  page.ldt = to_page(state.ldt);
  page.cr8 = state.cr8;
  page.star = state.system.star;
  page.lstar = state.system.lstar;
  page.fmask = state.system.fmask;
  page.kernel_gs_base = state.system.kernel_gs_base;
  page.pat = state.system.pat;
  page.tsc = state.tsc;
  static_assert(sizeof page.fpu == sizeof state.fpu);
  std::memcpy(page.fpu, state.fpu.data(), sizeof page.fpu);
  return page;
}

CpuState from_page(const runhl_emu_state& page) {
  CpuState state;
  state.cs = flat(page.cs, kCodeType);
  state.ss = data_segment(page.ss);
  state.ds = data_segment(page.ds);
  state.es = data_segment(page.es);
  state.fs = based(page.fs_base);
  state.gs = based(page.gs_base);
  state.gdt = from_page(page.gdt);
  state.idt = from_page(page.idt);
  state.tr = from_page(page.task);
  state.tr.type |= kBusy;  // as LTR leaves it; the engine does so in memory alone
  state.ldt = from_page(page.ldt);
  state.cr8 = page.cr8;
  state.system = {page.star, page.lstar, page.fmask, page.kernel_gs_base, page.pat};
  state.tsc = page.tsc;
  std::memcpy(state.fpu.data(), page.fpu, sizeof page.fpu);
  return state;
}

}  // namespace runhl::vmm::emu
