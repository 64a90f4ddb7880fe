// SPDX-License-Identifier: Apache-2.0
#include "runhl/shim/control.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <thread>

namespace runhl::shim {
namespace {

using ::testing::HasSubstr;

class ControlTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::array<char, 40> name{"/tmp/runhl-control-XXXXXX"};
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    path_ = name.data();
  }
  void TearDown() override { std::filesystem::remove_all(path_); }

  /// Serves on a thread until the test ends.
  using Answer = std::function<Result<std::string>(const ControlRequest&)>;
  void serve(const StateDir& dir, Answer answer) {
    serve_later(dir, [answer = std::move(answer)](const ControlRequest& request,
                                                  const ControlServer::Reply& reply) {
      reply(answer(request));
    });
  }
  void serve_later(const StateDir& dir, ControlServer::Handler handler) {
    auto listener = control_listen(dir);
    ASSERT_TRUE(listener.has_value()) << listener.error().message;
    thread_ = std::jthread([this, fd = std::make_shared<UniqueFd>(std::move(*listener)),
                            handler = std::move(handler)](const std::stop_token& stop) {
      EventLoop loop = *EventLoop::create();
      const auto server = ControlServer::create(std::move(*fd), loop, handler);
      while (!stop.stop_requested()) {
        (void)loop.run_once(5);
      }
    });
  }

  std::string path_;
  std::jthread thread_;
};

TEST_F(ControlTest, A_call_reaches_the_handler_and_its_answer_comes_back) {
  const auto dir = StateRoot(path_).claim("c1");
  ASSERT_TRUE(dir.has_value());
  std::atomic<int> seen = 0;
  serve(*dir, [&](const ControlRequest& request) -> Result<std::string> {
    seen = request.argument;
    if (request.operation == ControlOperation::Start) {
      return fail(ErrorCode::WrongState, "cannot start an already running container");
    }
    return std::string("done ") + std::to_string(request.argument);
  });
  struct stat info{};
  ASSERT_EQ(::stat((dir->path() + "/control.sock").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
  EXPECT_TRUE(control_call(*dir, {.operation = ControlOperation::Signal, .argument = 15}, 10000));
  EXPECT_EQ(seen, 15);
  const auto text =
      control_query(*dir, {.operation = ControlOperation::Stats, .argument = 7}, 10000);
  EXPECT_EQ(*text, "done 7");
  const auto start = control_call(*dir, {.operation = ControlOperation::Start}, 10000);
  ASSERT_FALSE(start.has_value());
  EXPECT_EQ(start.error().code, ErrorCode::WrongState);
  EXPECT_EQ(start.error().message, "cannot start an already running container");
}

TEST_F(ControlTest, An_answer_may_come_later_and_its_caller_may_be_gone) {
  const auto dir = StateRoot(path_).claim("c1");
  ASSERT_TRUE(dir.has_value());
  std::mutex mutex;
  std::vector<ControlServer::Reply> waiting;
  std::atomic<std::size_t> count = 0;
  serve_later(*dir, [&](const ControlRequest& request, const ControlServer::Reply& reply) {
    const std::lock_guard guard(mutex);
    waiting.push_back(reply);
    count = waiting.size();
    if (request.operation == ControlOperation::Stats) {
      for (const ControlServer::Reply& late : waiting) {
        late("late");
      }
    }
  });
  EXPECT_EQ(control_call(*dir, {.operation = ControlOperation::Start}, 20).error().code,
            ErrorCode::Timeout);  // and it hangs up
  std::jthread caller([&dir] {
    EXPECT_EQ(*control_query(*dir, {.operation = ControlOperation::Signal}, 10000), "late");
  });
  while (count < 2) {
    ::usleep(1000);
  }
  EXPECT_EQ(*control_query(*dir, {.operation = ControlOperation::Stats}, 10000), "late");
  caller.join();
  thread_ = {};
}

TEST_F(ControlTest, Works_below_a_path_longer_than_a_socket_address) {
  const auto dir = StateRoot(path_ + "/" + std::string(120, 'd')).claim(std::string(255, 'i'));
  ASSERT_TRUE(dir.has_value()) << dir.error().message;
  serve(*dir, [](const ControlRequest&) -> Result<std::string> { return "x 1"; });
  EXPECT_TRUE(control_call(*dir, {.operation = ControlOperation::Start}, 10000).has_value());
}

TEST_F(ControlTest, Silent_and_garbling_callers_do_not_keep_others_out) {
  const auto dir = StateRoot(path_).claim("c1");
  ASSERT_TRUE(dir.has_value());
  serve(*dir, [](const ControlRequest&) -> Result<std::string> { return "x 1"; });
  std::vector<UniqueFd> callers;
  for (int i = 0; i < 8; ++i) {
    callers.emplace_back(::socket(AF_UNIX, SOCK_SEQPACKET, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    (dir->path() + "/control.sock").copy(address.sun_path, sizeof(address.sun_path) - 1);
    ASSERT_EQ(
        ::connect(callers.back().get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    if (i % 2 == 1) {
      const std::string junk(static_cast<std::size_t>(i) * 100, 'x');
      ASSERT_GT(::send(callers.back().get(), junk.data(), junk.size(), MSG_NOSIGNAL), 0);
    }
  }
  EXPECT_TRUE(control_call(*dir, {.operation = ControlOperation::Start}, 10000).has_value());
}

TEST_F(ControlTest, Nobody_listening_is_a_container_that_does_not_run) {
  const auto dir = StateRoot(path_).claim("c1");
  ASSERT_TRUE(dir.has_value());
  EXPECT_EQ(control_call(*dir, {.operation = ControlOperation::Start}, 1).error().message,
            "container not running");
  {
    const auto listener = control_listen(*dir);
  }
  EXPECT_EQ(control_call(*dir, {.operation = ControlOperation::Start}, 1).error().code,
            ErrorCode::NotFound);
}

TEST_F(ControlTest, The_listener_is_known_without_a_state_file) {
  const auto dir = StateRoot(path_).claim("c1");
  ASSERT_TRUE(dir.has_value());
  EXPECT_EQ(control_peer(*dir).error().code, ErrorCode::NotFound);
  const auto listener = control_listen(*dir);
  ASSERT_TRUE(listener.has_value());
  const auto peer = control_peer(*dir);
  ASSERT_TRUE(peer.has_value()) << peer.error().message;
  EXPECT_EQ(peer->pid, ::getpid());
  EXPECT_EQ(peer->start_time, identify_process(::getpid())->start_time);
}

TEST_F(ControlTest, A_monitor_that_does_not_answer_times_out) {
  const auto dir = StateRoot(path_).claim("c1");
  ASSERT_TRUE(dir.has_value());
  const auto listener = control_listen(*dir);
  ASSERT_TRUE(listener.has_value());
  EXPECT_EQ(control_call(*dir, {.operation = ControlOperation::Start}, 1).error().code,
            ErrorCode::Timeout);
}

TEST(ControlMessages, Of_another_size_version_or_operation_are_refused) {
  ControlRequest request{.operation = ControlOperation::Start};
  const auto bytes = [&] { return std::as_bytes(std::span(&request, 1)); };
  EXPECT_TRUE(decode_request(bytes()).has_value());
  EXPECT_FALSE(decode_request(bytes().first(15)).has_value());
  EXPECT_FALSE(decode_request({}).has_value());
  request.version = 2;
  EXPECT_THAT(decode_request(bytes()).error().message, HasSubstr("another version"));
  request = {.operation = static_cast<ControlOperation>(7)};
  EXPECT_FALSE(decode_request(bytes()).has_value());
}

TEST(ControlMessages, A_long_error_is_cut) {
  const ControlReply reply = encode_reply(fail(ErrorCode::Io, std::string(10000, 'x')));
  const auto result = decode_reply(std::as_bytes(std::span(&reply, 1)));
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().message, std::string(ControlReply::kTextBytes - 1, 'x'));
  EXPECT_EQ(result.error().code, ErrorCode::Io);
}

}  // namespace
}  // namespace runhl::shim
