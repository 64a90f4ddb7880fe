// SPDX-License-Identifier: Apache-2.0
// A cell's life, and that whatever ends it is noticed and leaves nothing behind.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>

#include "cell_fixture.h"

namespace runhl::vmm {
namespace {

using testing::HasSubstr;

class Cell : public CellFixture {};

TEST_F(Cell, Prints_and_exits) {
  const Outcome outcome = run({"hello"});
  ASSERT_FALSE(outcome.refused) << outcome.refused->message;
  ASSERT_TRUE(outcome.exit);
  EXPECT_EQ(outcome.exit->code, 7);
  EXPECT_EQ(outcome.exit->signal, 0);
  EXPECT_EQ(outcome.exit->report, "");
  EXPECT_EQ(outcome.output, "hello from a cell\n");
}

TEST_F(Cell, Says_what_it_can) {
  MachineSpec wanted = spec({"hello"});
  (void)run(std::move(wanted), [](Machine& machine) {
    const Capabilities can = machine.capabilities();
    EXPECT_EQ(can.isolation, Isolation::Cell);
    EXPECT_TRUE(can.file_mapping);
    EXPECT_FALSE(can.exec);
    ASSERT_EQ(machine.host_pids().size(), 1U);
    EXPECT_EQ(::kill(machine.host_pids()[0], 0), 0);
    EXPECT_FALSE(machine.pause());
    start(machine);
  });
}

TEST_F(Cell, Starts_a_hundred_times) {
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(run({"hello"}).exit->code, 7);
  }
}

TEST_F(Cell, Reports_why_the_guest_refused) {
  const Outcome outcome = run({"refuse-to-boot"});
  ASSERT_TRUE(outcome.ready);
  ASSERT_FALSE(*outcome.ready);
  EXPECT_EQ(outcome.ready->error().code, ErrorCode::NotFound);
  EXPECT_EQ(outcome.ready->error().message, "exec: \"/x\": stat /x: no such file or directory");
}

TEST_F(Cell, Dead_before_boot_is_an_error) {
  const Outcome outcome = run({"die-before-boot"});
  ASSERT_TRUE(outcome.ready);
  ASSERT_FALSE(*outcome.ready);
  EXPECT_THAT(outcome.ready->error().message, HasSubstr("before it was ready"));
  EXPECT_FALSE(outcome.exit);
}

TEST_F(Cell, Ends_with_137_when_cell_0_goes_without_a_word) {
  for (const char* attack : {"exit-without-word", "die-in-reserved-call", "die-with-children",
                             "fault-without-handler"}) {
    const Outcome outcome = run({attack});
    ASSERT_TRUE(outcome.exit) << attack;
    EXPECT_EQ(outcome.exit->code, 137) << attack;
    EXPECT_THAT(outcome.exit->report, HasSubstr("cell 0")) << attack;
  }
}

TEST_F(Cell, Is_ended_if_it_only_says_that_it_ends) {
  const Outcome outcome = run({"say-that-it-ends"});
  ASSERT_TRUE(outcome.exit);
  EXPECT_EQ(outcome.exit->code, 5);
  EXPECT_EQ(outcome.exit->report, "");
}

TEST_F(Cell, Is_killed_by_a_forbidden_call) {
  const Outcome outcome = run({"forbidden-call"});
  ASSERT_TRUE(outcome.exit);
  EXPECT_EQ(outcome.exit->code, 137);
  EXPECT_EQ(outcome.exit->report, "cell 0 died by signal " + std::to_string(SIGSYS));
}

TEST_F(Cell, Dies_by_SIGKILL_in_any_state) {
  for (const char* attack : {"sleep-for-ever", "die-with-children", "flood-ring"}) {
    const Outcome outcome = run(spec({attack}), [](Machine& machine) {
      if (machine.host_pids()[0] % 2 == 0) {
        start(machine);
      }
      EXPECT_TRUE(machine.signal(SIGKILL, SignalTarget::Init));
    });
    ASSERT_TRUE(outcome.exit) << attack;
    EXPECT_EQ(outcome.exit->code, 137) << attack;
  }
}

TEST_F(Cell, Killed_from_outside_is_noticed) {
  const Outcome outcome = run(spec({"sleep-for-ever"}), [](Machine& machine) {
    EXPECT_EQ(::kill(machine.host_pids()[0], SIGKILL), 0);
  });
  ASSERT_TRUE(outcome.exit);
  EXPECT_EQ(outcome.exit->code, 137);
  EXPECT_THAT(outcome.exit->report, HasSubstr("signal 9"));
}

TEST_F(Cell, Goes_on_after_a_stop) {
  const Outcome outcome = run(spec({"timed-sleep"}), [](Machine& machine) {
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ(::kill(machine.host_pids()[0], SIGSTOP), 0);
      EXPECT_EQ(::kill(machine.host_pids()[0], SIGCONT), 0);
    }
  });
  ASSERT_TRUE(outcome.exit);
  EXPECT_EQ(outcome.exit->code, 0) << outcome.output << outcome.exit->report;
}

TEST_F(Cell, Ignores_signals_of_a_terminal) {
  const Outcome outcome = run(spec({"timed-sleep"}), [](Machine& machine) {
    for (const int signal : {SIGINT, SIGQUIT, SIGHUP, SIGTERM, SIGTSTP, SIGUSR1, SIGRTMAX}) {
      EXPECT_EQ(::kill(machine.host_pids()[0], signal), 0);
    }
  });
  ASSERT_TRUE(outcome.exit);
  EXPECT_EQ(outcome.exit->code, 0) << outcome.output << outcome.exit->report;
}

TEST_F(Cell, Panic_reports_are_read_with_care) {
  const Outcome outcome = run({"panic"});
  ASSERT_TRUE(outcome.exit);
  EXPECT_EQ(outcome.exit->code, 137);
  EXPECT_THAT(outcome.exit->report, HasSubstr("AAAA"));
  EXPECT_THAT(outcome.exit->report, HasSubstr("hostile::panic"));
}

TEST_F(Cell, Destroyed_at_any_time_leaves_nothing) {
  auto loop = EventLoop::create();
  ASSERT_TRUE(loop);
  for (int turns = 0; turns < 4; ++turns) {
    auto machine = cell::create(spec({"sleep-for-ever"}), hostile_kernel());
    ASSERT_TRUE(machine) << machine.error().message;
    if (turns > 0) {
      ASSERT_TRUE((*machine)->boot(*loop, [](const Result<void>&) {}, [](const Exit&) {}));
    }
    for (int turn = 1; turn < turns; ++turn) {
      ASSERT_TRUE(loop->run_once(0));
    }
  }
  loop = tl::unexpected(Error{});  // closed before the descriptors are counted
}

TEST_F(Cell, A_failing_step_is_named) {
  MachineSpec bad = spec({"hello"});
  bad.before_cell_goes = [](MachineSpec&) {
    return fail(ErrorCode::Permission, "no jail for you");
  };
  const Outcome outcome = run(std::move(bad), start);
  ASSERT_TRUE(outcome.refused);
  EXPECT_EQ(outcome.refused->message, "no jail for you");

  bad = spec({"hello"});
  bad.cell_tasks.reset(::open("/", O_RDONLY | O_CLOEXEC));
  const Outcome no_group = run(std::move(bad), start);
  ASSERT_TRUE(no_group.refused);
  EXPECT_THAT(no_group.refused->message, HasSubstr("cell 0: enter the cells' control group"));

  bad = spec({"hello"});
  bad.proc_dir.reset(::open("/", O_PATH | O_CLOEXEC));
  const Outcome no_proc = run(std::move(bad), start);
  ASSERT_TRUE(no_proc.refused);
  EXPECT_THAT(no_proc.refused->message, HasSubstr("/proc/self/maps"));
}

TEST_F(Cell, An_id_that_may_not_be_mapped_is_named) {
  if (privileged()) {
    GTEST_SKIP() << "this caller may map any id";
  }
  MachineSpec bad = spec({"hello"});
  bad.cell_identity = {.uid = 1, .gid = 1, .own = true};
  const Outcome outcome = run(std::move(bad), start);
  ASSERT_TRUE(outcome.refused);
  EXPECT_THAT(outcome.refused->message, HasSubstr("uid_map"));
}

TEST_F(Cell, The_host_has_what_cells_need) {
  const cell::HostFeatures host = cell::check_host();
  EXPECT_TRUE(host.missing.empty()) << host.missing.front();
}

}  // namespace
}  // namespace runhl::vmm
