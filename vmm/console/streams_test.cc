// SPDX-License-Identifier: Apache-2.0
#include "console/streams.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace runhl::vmm::console {
namespace {

class StreamsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NE(::signal(SIGPIPE, SIG_IGN), SIG_ERR);
    std::array<int, 2> in{};
    std::array<int, 2> out{};
    ASSERT_EQ(::pipe2(in.data(), O_CLOEXEC), 0);
    ASSERT_EQ(::pipe2(out.data(), O_CLOEXEC), 0);
    Stdio stdio;
    stdio.in = UniqueFd{in[0]};
    stdin_writer_ = UniqueFd{in[1]};
    stdout_reader_ = UniqueFd{out[0]};
    shared_stdout_ = UniqueFd{::dup(out[1])};  // the engine's copy of the same description
    stdio.out = UniqueFd{out[1]};
    const UniqueFd proc{::open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC)};
    streams_ = std::make_unique<Streams>(std::move(stdio), proc.get());
    loop_ = std::make_unique<EventLoop>(EventLoop::create().value());
    streams_->attach(*loop_, [this](std::uint32_t tag, std::int32_t result) {
      EXPECT_FALSE(results_.contains(tag)) << "completed twice";
      results_[tag] = result;
    });
  }

  void submit(abi::RingOp op, std::uint32_t tag, std::uint32_t stream, std::span<std::byte> buffer,
              std::uint64_t value = 0) {
    abi::RingEntry entry{};
    entry.op = op;
    entry.tag = tag;
    entry.stream = stream;
    entry.value = value;
    streams_->submit(entry, buffer);
  }
  void wait_for(std::uint32_t tag) {
    while (!results_.contains(tag)) {
      ASSERT_TRUE(loop_->run_once(-1).has_value());
    }
  }

  UniqueFd stdin_writer_, stdout_reader_, shared_stdout_;
  std::unique_ptr<EventLoop> loop_;
  std::unique_ptr<Streams> streams_;
  std::map<std::uint32_t, std::int32_t> results_;
  std::vector<std::byte> buffer_ = std::vector<std::byte>(abi::kBounceSize, std::byte{'x'});
};

TEST_F(StreamsTest, A_read_waits_for_data_and_then_for_the_end) {
  submit(abi::RingOp::StreamRead, 1, 0, std::span(buffer_).first(10));
  EXPECT_TRUE(results_.empty());
  ASSERT_EQ(::write(stdin_writer_.get(), "abc", 3), 3);
  wait_for(1);
  EXPECT_EQ(results_[1], 3);
  stdin_writer_.reset();
  submit(abi::RingOp::StreamRead, 2, 0, buffer_);
  wait_for(2);
  EXPECT_EQ(results_[2], 0);
}

TEST_F(StreamsTest, A_full_pipe_delays_the_write_and_loses_nothing) {
  // 64 KiB fill the pipe; the second request has to wait for the reader.
  submit(abi::RingOp::StreamWrite, 1, 1, buffer_);
  submit(abi::RingOp::StreamWrite, 2, 1, std::span(buffer_).first(100));
  EXPECT_EQ(results_.count(2), 0U);
  std::size_t total = 0;
  std::vector<char> sink(abi::kBounceSize);
  while (total < abi::kBounceSize + 100) {
    const ssize_t count = ::read(stdout_reader_.get(), sink.data(), sink.size());
    ASSERT_GT(count, 0);
    total += static_cast<std::size_t>(count);
    ASSERT_TRUE(loop_->run_once(0).has_value());
  }
  wait_for(2);
  EXPECT_EQ(results_[1], static_cast<std::int32_t>(abi::kBounceSize));
  EXPECT_EQ(results_[2], 100);
}

TEST_F(StreamsTest, The_shared_description_stays_blocking) {
  EXPECT_EQ(::fcntl(shared_stdout_.get(), F_GETFL) & O_NONBLOCK, 0);
}

TEST_F(StreamsTest, A_gone_reader_is_EPIPE) {
  stdout_reader_.reset();
  submit(abi::RingOp::StreamWrite, 1, 1, std::span(buffer_).first(1));
  EXPECT_EQ(results_.at(1), -EPIPE);
}

TEST_F(StreamsTest, Cancel_ends_a_waiting_read_once) {
  submit(abi::RingOp::StreamRead, 7, 0, buffer_);
  streams_->cancel(7);
  EXPECT_EQ(results_.at(7), -EINTR);
  streams_->cancel(7);
  ASSERT_EQ(::write(stdin_writer_.get(), "x", 1), 1);
  ASSERT_TRUE(loop_->run_once(0).has_value());  // completes nothing twice
}

TEST_F(StreamsTest, Close_shows_the_reader_the_end) {
  shared_stdout_.reset();
  submit(abi::RingOp::StreamClose, 0, 1, {});
  char byte = 0;
  EXPECT_EQ(::read(stdout_reader_.get(), &byte, 1), 0);
  submit(abi::RingOp::StreamWrite, 1, 1, buffer_);
  EXPECT_EQ(results_.at(1), -EBADF);
}

TEST_F(StreamsTest, Missing_and_bogus_streams_are_EBADF) {
  submit(abi::RingOp::StreamWrite, 1, 2, buffer_);
  submit(abi::RingOp::StreamRead, 2, 77, buffer_);
  EXPECT_EQ(results_.at(1), -EBADF);
  EXPECT_EQ(results_.at(2), -EBADF);
  EXPECT_EQ(streams_->mode(2), 0U);
}

TEST_F(StreamsTest, Poll_completes_when_ready) {
  submit(abi::RingOp::StreamPoll, 1, 0, {}, POLLIN);
  EXPECT_TRUE(results_.empty());
  ASSERT_EQ(::write(stdin_writer_.get(), "x", 1), 1);
  wait_for(1);
  EXPECT_NE(results_[1] & POLLIN, 0);
}

TEST_F(StreamsTest, Poll_at_once_tells_what_holds_now) {
  submit(abi::RingOp::StreamPoll, 1, 0, {}, POLLIN | abi::kPollNow);
  EXPECT_EQ(results_.at(1), 0);
  ASSERT_EQ(::write(stdin_writer_.get(), "x", 1), 1);
  submit(abi::RingOp::StreamPoll, 2, 0, {}, POLLIN | abi::kPollNow);
  EXPECT_EQ(results_.at(2), POLLIN);
}

TEST_F(StreamsTest, Poll_for_nothing_completes_at_the_end_of_the_stream) {
  submit(abi::RingOp::StreamPoll, 1, 0, {}, 0);
  EXPECT_TRUE(results_.empty());
  stdin_writer_.reset();
  wait_for(1);
  EXPECT_EQ(results_[1], POLLHUP);
}

TEST(StreamsSocketTest, Sockets_are_served_without_blocking) {
  std::array<int, 2> pair{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()), 0);
  const UniqueFd peer{pair[1]};
  Stdio stdio;
  stdio.in = UniqueFd{pair[0]};
  Streams streams(std::move(stdio), -1);
  EventLoop loop = EventLoop::create().value();
  std::int32_t result = -1;
  streams.attach(loop, [&](std::uint32_t, std::int32_t r) { result = r; });
  std::array<std::byte, 8> buffer{};
  abi::RingEntry entry{};
  entry.op = abi::RingOp::StreamRead;
  streams.submit(entry, buffer);
  ASSERT_EQ(::write(peer.get(), "hello", 5), 5);
  ASSERT_TRUE(loop.run_once(-1).has_value());
  EXPECT_EQ(result, 5);
}

}  // namespace
}  // namespace runhl::vmm::console
