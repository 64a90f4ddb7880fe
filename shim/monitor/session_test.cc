// SPDX-License-Identifier: Apache-2.0
#include "monitor/session.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "monitor/fake_machine.h"

namespace runhl::shim {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class SessionTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::array<char, 40> name{"/tmp/runhl-session-XXXXXX"};
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    path_ = name.data();
    auto dir = StateRoot(path_).claim("c1");
    ASSERT_TRUE(dir.has_value());
    dir_ = std::make_unique<StateDir>(std::move(*dir));
  }
  void TearDown() override {
    monitor_.join();
    std::filesystem::remove_all(path_);
  }

  /// The monitor's thread; the verb's end of the channel is ours.
  void begin(StartMode start = StartMode::ByOrder) {
    auto channel = SetupChannel::create();
    ASSERT_TRUE(channel.has_value());
    verb_ = std::make_unique<SetupChannel>(std::move(channel->first));
    auto parts = std::make_shared<SessionParts>(
        SessionParts{.start = start,
                     .loop = std::make_unique<EventLoop>(*EventLoop::create()),
                     .machine = std::make_unique<FakeMachine>(script_),
                     .channel = std::move(channel->second),
                     .control_listener = *control_listen(*dir_),
                     .exit_file = *dir_->make_progress(),
                     .signals = {},
                     .cell_uid_lock = {},
                     .report = {},
                     .thaw = std::move(thaw_),
                     .oom = std::move(oom_),
                     .when_settled = {}});
    monitor_ = std::thread([this, parts] { exit_code_ = Session(std::move(*parts)).run(); });
  }
  Result<void> call(ControlOperation operation, int argument = 0) {
    return control_call(*dir_, {.operation = operation, .argument = argument}, 10000);
  }
  int end() {
    monitor_.join();
    monitor_ = std::thread([] {});
    return exit_code_;
  }

  std::string path_;
  std::unique_ptr<StateDir> dir_;
  std::unique_ptr<SetupChannel> verb_;
  FakeScript script_;
  Thaw thaw_;
  OomWatch oom_;
  std::thread monitor_;
  int exit_code_ = -1;
};

TEST_F(SessionTest, A_life_from_ready_to_its_signal) {
  begin();
  EXPECT_TRUE(verb_->expect(SetupStep::Ready).has_value());
  EXPECT_THAT(call(ControlOperation::Start).error().message, HasSubstr("not created yet"));
  EXPECT_FALSE(dir_->read_progress()->started);
  ASSERT_TRUE(verb_->send(SetupStep::Commit).has_value());
  EXPECT_FALSE(verb_->receive().has_value());  // closed: the monitor has it
  EXPECT_TRUE(call(ControlOperation::Start).has_value());
  EXPECT_TRUE(script_.started);
  EXPECT_TRUE(dir_->read_progress()->started);
  EXPECT_EQ(call(ControlOperation::Start).error().message,
            "cannot start an already running container");
  EXPECT_TRUE(call(ControlOperation::SignalAll, SIGWINCH).has_value());
  EXPECT_TRUE(script_.signalled_all);
  EXPECT_TRUE(call(ControlOperation::Signal, SIGWINCH).has_value());
  EXPECT_FALSE(script_.signalled_all);
  EXPECT_FALSE(call(ControlOperation::Signal, 0).has_value());
  EXPECT_FALSE(call(ControlOperation::Signal, 65).has_value());
  EXPECT_TRUE(call(ControlOperation::Signal, SIGTERM).has_value());
  EXPECT_EQ(end(), 128 + SIGTERM);
  EXPECT_EQ(dir_->read_progress()->exit_code, 128 + SIGTERM);
  EXPECT_THAT(script_.signals, ElementsAre(SIGWINCH, SIGWINCH, SIGTERM));
}

TEST_F(SessionTest, Start_is_answered_behind_the_start_hooks) {
  script_.start_result = Result<void>();
  begin();
  EXPECT_TRUE(verb_->expect(SetupStep::Ready).has_value());
  ASSERT_TRUE(verb_->send(SetupStep::Commit).has_value());
  EXPECT_FALSE(verb_->receive().has_value());
  EXPECT_TRUE(call(ControlOperation::Start).has_value());
  EXPECT_TRUE(dir_->read_progress()->started);
  EXPECT_FALSE(call(ControlOperation::Start).has_value());
  EXPECT_TRUE(call(ControlOperation::Signal, SIGTERM).has_value());
  EXPECT_EQ(end(), 128 + SIGTERM);
}

TEST_F(SessionTest, A_failed_start_hook_is_the_answer_and_the_end) {
  script_.start_result = fail(ErrorCode::GuestFault, "/hooks/startContainer/0: /x: exit status 3");
  begin();
  EXPECT_TRUE(verb_->expect(SetupStep::Ready).has_value());
  ASSERT_TRUE(verb_->send(SetupStep::Commit).has_value());
  EXPECT_FALSE(verb_->receive().has_value());
  const auto started = call(ControlOperation::Start);
  ASSERT_FALSE(started.has_value());
  EXPECT_EQ(started.error().message, "/hooks/startContainer/0: /x: exit status 3");
  EXPECT_EQ(end(), 1);
  EXPECT_EQ(dir_->read_progress()->exit_code, 1);
}

TEST_F(SessionTest, Run_starts_without_being_asked_again) {
  script_.exit_at_start = true;
  begin(StartMode::AtOnce);
  EXPECT_EQ(end(), 7);
  EXPECT_TRUE(verb_->expect(SetupStep::Started).has_value());
  EXPECT_TRUE(script_.started);
  EXPECT_EQ(dir_->read_progress()->exit_code, 7);
}

TEST_F(SessionTest, A_program_that_run_cannot_start_is_the_verbs_error) {
  script_.boot_result = fail(ErrorCode::Permission, "exec: \"x\": permission denied");
  begin(StartMode::AtOnce);
  EXPECT_EQ(end(), 1);
  const auto started = verb_->expect(SetupStep::Started);
  ASSERT_FALSE(started.has_value());
  EXPECT_EQ(started.error().code, ErrorCode::Permission);
  EXPECT_FALSE(dir_->read_progress()->started);
}

TEST_F(SessionTest, A_verb_that_dies_before_the_commit_takes_the_container_along) {
  begin();
  ASSERT_TRUE(verb_->expect(SetupStep::Ready).has_value());
  verb_.reset();
  EXPECT_EQ(end(), 1);
  EXPECT_FALSE(script_.started);
}

TEST_F(SessionTest, A_program_that_cannot_run_is_the_verbs_error) {
  script_.boot_result =
      fail(ErrorCode::NotFound, "exec: \"x\": executable file not found in $PATH");
  begin();
  const auto ready = verb_->expect(SetupStep::Ready);
  ASSERT_FALSE(ready.has_value());
  EXPECT_EQ(ready.error().code, ErrorCode::NotFound);
  EXPECT_EQ(ready.error().message, "exec: \"x\": executable file not found in $PATH");
  EXPECT_EQ(end(), 1);
}

TEST(SetupChannel, A_failed_send_still_brings_the_peers_reason) {
  auto ends = SetupChannel::create();
  ASSERT_TRUE(ends.has_value());
  ASSERT_TRUE(ends->second.send_failure({ErrorCode::Permission, EPERM, "mount: no"}).has_value());
  {
    const SetupChannel closed = std::move(ends->second);
  }
  const auto sent = ends->first.send(SetupStep::Proceed);
  ASSERT_FALSE(sent.has_value());
  EXPECT_EQ(sent.error().message, "mount: no");
  EXPECT_EQ(sent.error().os_errno, EPERM);
  EXPECT_THAT(ends->first.send(SetupStep::Proceed).error().message,
              HasSubstr("ended during set-up"));
}

TEST_F(SessionTest, SIGKILL_thaws_and_no_other_signal_does) {
  std::array<int, 2> pipe{};
  ASSERT_EQ(::pipe2(pipe.data(), O_NONBLOCK | O_CLOEXEC), 0);
  const UniqueFd freezer(pipe[0]);
  thaw_ = Thaw(UniqueFd(pipe[1]), CgroupVersion::V1);
  begin();
  ASSERT_TRUE(verb_->expect(SetupStep::Ready).has_value());
  ASSERT_TRUE(verb_->send(SetupStep::Commit).has_value());
  EXPECT_FALSE(verb_->receive().has_value());
  std::array<char, 16> text{};
  EXPECT_TRUE(call(ControlOperation::Signal, SIGWINCH).has_value());
  EXPECT_LT(::read(freezer.get(), text.data(), text.size()), 0);
  EXPECT_TRUE(call(ControlOperation::Signal, SIGKILL).has_value());
  EXPECT_EQ(::read(freezer.get(), text.data(), text.size()), 6);
  EXPECT_STREQ(text.data(), "THAWED");
  EXPECT_EQ(end(), 137);
}

TEST_F(SessionTest, A_guest_that_ends_before_its_start_ends_the_container) {
  begin();
  ASSERT_TRUE(verb_->expect(SetupStep::Ready).has_value());
  ASSERT_TRUE(verb_->send(SetupStep::Commit).has_value());
  EXPECT_FALSE(verb_->receive().has_value());
  EXPECT_TRUE(call(ControlOperation::Signal, SIGKILL).has_value());
  EXPECT_EQ(end(), 137);
}

}  // namespace
}  // namespace runhl::shim
