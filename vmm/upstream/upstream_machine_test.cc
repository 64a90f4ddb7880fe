// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <csignal>

#include "runhl/vmm/upstream/machine.h"

namespace runhl::vmm::upstream {
namespace {

MachineSpec small_spec() {
  MachineSpec spec;
  spec.process.args = {"/bin/x"};
  return spec;
}

TEST(UpstreamMachine, Signals_that_end_a_program_end_the_guest) {
  for (const int number : {SIGKILL, SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGABRT}) {
    EXPECT_EQ(fate_of_signal(number), SignalFate::Ends) << number;
  }
  EXPECT_EQ(fate_of_signal(SIGWINCH), SignalFate::Ignored);
  EXPECT_EQ(fate_of_signal(SIGUSR1), SignalFate::Refused);
  EXPECT_EQ(fate_of_signal(SIGSTOP), SignalFate::Refused);
}

TEST(UpstreamMachine, A_process_that_ends_at_once_is_an_error) {
  const auto machine = create(small_spec(), {.executable = "/bin/false", .version = "x"});
  ASSERT_FALSE(machine);
  EXPECT_EQ(machine.error().message, "the guest's process has ended");
}

TEST(UpstreamMachine, A_missing_executable_is_an_error) {
  EXPECT_FALSE(create(small_spec(), {.executable = "/nosuch", .version = "x"}));
}

TEST(UpstreamMachine, Nothing_is_done_in_the_monitor_where_there_is_no_guest) {
  MachineSpec spec = small_spec();
  bool jailed = false;
  spec.before_cell_goes = [&jailed](MachineSpec& /*spec*/) -> Result<void> {
    jailed = true;
    return {};
  };
  EXPECT_FALSE(create(std::move(spec), {.executable = "/bin/false", .version = "x"}));
  EXPECT_FALSE(jailed);
}

}  // namespace
}  // namespace runhl::vmm::upstream
