// SPDX-License-Identifier: Apache-2.0
// The frame that the host itself writes is the model.
#include "arch/x86_64/signal_layout.h"

#include <gtest/gtest.h>
#include <ucontext.h>

#include <csignal>

namespace runhl::kernel {
namespace {

TEST(SignalLayout, Matches_the_c_librarys_structures) {
  EXPECT_EQ(offsetof(UserContext, stack), offsetof(ucontext_t, uc_stack));
  EXPECT_EQ(offsetof(UserContext, machine), offsetof(ucontext_t, uc_mcontext));
  EXPECT_EQ(offsetof(UserContext, mask), offsetof(ucontext_t, uc_sigmask));
  EXPECT_EQ(offsetof(UserContext, machine) + offsetof(MachineContext, rip),
            offsetof(ucontext_t, uc_mcontext.gregs) + REG_RIP * sizeof(greg_t));
  EXPECT_EQ(offsetof(UserContext, machine) + offsetof(MachineContext, fault_address),
            offsetof(ucontext_t, uc_mcontext.gregs) + REG_CR2 * sizeof(greg_t));
  EXPECT_EQ(offsetof(UserContext, machine) + offsetof(MachineContext, fpstate),
            offsetof(ucontext_t, uc_mcontext.fpregs));
  EXPECT_EQ(offsetof(SignalInfo, fault), offsetof(siginfo_t, si_addr));
  EXPECT_EQ(offsetof(SignalInfo, sender.uid), offsetof(siginfo_t, si_uid));
  EXPECT_EQ(offsetof(SignalInfo, sender.value), offsetof(siginfo_t, si_value));
}

TEST(SignalLayout, Frame_enters_a_handler_as_a_call_would) {
  for (std::uint64_t stack = 0x7000; stack < 0x7080; ++stack) {
    const FramePlace place = place_signal_frame(stack, 836);
    EXPECT_EQ(place.frame % 16, 8U);  // as after pushing the return address
    EXPECT_EQ(place.fpu % 64, 0U);    // XSAVE
    EXPECT_LE(place.frame + sizeof(SignalFrame), place.fpu);
    EXPECT_LE(place.fpu + 836, stack);
  }
}

struct Seen {
  std::uintptr_t info, context, fpu;
};
Seen g_seen{};
void on_signal(int, siginfo_t* info, void* context) {
  g_seen = {
      reinterpret_cast<std::uintptr_t>(info), reinterpret_cast<std::uintptr_t>(context),
      reinterpret_cast<std::uintptr_t>(static_cast<ucontext_t*>(context)->uc_mcontext.fpregs)};
}

TEST(SignalLayout, Parts_lie_where_linux_puts_them) {
  struct sigaction action{};
  action.sa_sigaction = &on_signal;
  action.sa_flags = SA_SIGINFO;
  struct sigaction old{};
  ASSERT_EQ(sigaction(SIGUSR1, &action, &old), 0);
  ASSERT_EQ(raise(SIGUSR1), 0);
  ASSERT_EQ(sigaction(SIGUSR1, &old, nullptr), 0);
  EXPECT_EQ(g_seen.info - g_seen.context,
            offsetof(SignalFrame, info) - offsetof(SignalFrame, context));
  const std::uintptr_t frame = g_seen.context - offsetof(SignalFrame, context);
  const FramePlace place = place_signal_frame(g_seen.fpu, 0);
  EXPECT_EQ(place.fpu, g_seen.fpu);
  EXPECT_EQ(place.frame, frame);
}

}  // namespace
}  // namespace runhl::kernel
