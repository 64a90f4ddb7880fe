// SPDX-License-Identifier: Apache-2.0
#include "emu/state.h"

#include <gtest/gtest.h>

namespace runhl::vmm::emu {
namespace {

CpuState in_ring_0() {
  CpuState state;
  state.control.cr0 = 0x80050033;
  state.control.cr4 = 0x620;
  state.control.efer = 0xd01;
  state.cs.l = 1;
  return state;
}

TEST(EmulatedState, Goes_there_and_back) {
  CpuState state = in_ring_0();
  state.cs.selector = 8;
  state.ds.selector = state.es.selector = state.ss.selector = 16;
  state.fs.base = 0x1122334455667788;
  state.gs.base = 0xffff800000001000;
  state.tr = {.base = 0xfffffffffbfff000,
              .limit = 0x67,
              .selector = 24,
              .type = 11,
              .present = 1,
              .dpl = 3,
              .g = 1,
              .avl = 1};
  state.gdt = {0xfffffffffbffe000, 55};
  state.idt = {0xfffffffffbffd000, 0xfff};
  state.cr8 = 1;
  state.system = {2, 3, 4, 5, 6};
  state.tsc = 7;
  state.fpu[160] = std::byte{9};
  const Result<runhl_emu_state> page = to_page(state);
  ASSERT_TRUE(page);
  const CpuState back = from_page(*page);
  EXPECT_EQ(back.cs.selector, 8);
  EXPECT_EQ(back.cs.l, 1);
  EXPECT_EQ(back.ds.selector, 16);
  EXPECT_EQ(back.es.selector, 16);
  EXPECT_EQ(back.ss.selector, 16);
  EXPECT_EQ(back.fs.base, state.fs.base);
  EXPECT_EQ(back.gs.base, state.gs.base);
  EXPECT_EQ(back.tr, state.tr);
  EXPECT_EQ(back.ldt, state.ldt);
  EXPECT_EQ(back.gdt, state.gdt);
  EXPECT_EQ(back.idt, state.idt);
  EXPECT_EQ(back.cr8, 1U);
  EXPECT_EQ(back.system, state.system);
  EXPECT_EQ(back.tsc, 7U);
  EXPECT_EQ(back.fpu, state.fpu);
}

TEST(EmulatedState, What_the_software_cpu_cannot_be_is_refused) {
  EXPECT_TRUE(to_page(in_ring_0()));
  const auto refuses = [](auto spoil) {
    CpuState state = in_ring_0();
    spoil(&state);
    return !to_page(state);
  };
  EXPECT_TRUE(refuses([](CpuState* state) { state->cs.dpl = 3; }));
  EXPECT_TRUE(refuses([](CpuState* state) { state->ss.dpl = 3; }));
  EXPECT_TRUE(refuses([](CpuState* state) { state->cs.l = 0; }));
  EXPECT_TRUE(refuses([](CpuState* state) { state->control.cr0 = 0x33; }));
  EXPECT_TRUE(refuses([](CpuState* state) { state->control.cr4 = 0x600; }));
  EXPECT_TRUE(refuses([](CpuState* state) { state->control.efer = 1; }));
  EXPECT_TRUE(refuses([](CpuState* state) { state->xcr0 = 7; }));
}

}  // namespace
}  // namespace runhl::vmm::emu
